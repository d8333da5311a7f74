import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { createDialer } from "@tiphys/dialer";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { describeWith, startRegistry, type TestRegistry } from "@tiphys/testing";
import {
  buildArtifact,
  buildImage,
  buildIndex,
  buildLayer,
  createRegistryClient,
  keyringOf,
  mediaTypes,
  parseReference,
  pushPackage,
  type Reference,
  type Registries,
  sha256Of,
} from "./index.js";

const clock = systemClock();
const client = (registries: Registries = {}) =>
  createRegistryClient({
    dialer: createDialer({ clock, log: silentLogger, metrics: noMetrics }),
    clock,
    registries,
  });
const amd64 = { os: "linux", architecture: "amd64" };
const arm64 = { os: "linux", architecture: "arm64" };
const imageFor = async (platform: typeof amd64, text: string) =>
  buildImage({
    platform,
    layers: [await buildLayer([{ path: "file", type: "file", content: text }])],
    config: { Cmd: ["cat", "/file"] },
  });
const keyringFor = (host: string, pair: string) =>
  keyringOf([JSON.stringify({ auths: { [host]: { auth: Buffer.from(pair).toString("base64") } } })]);
const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
};

describeWith(["docker-registry"], "registry client and docker's registry", () => {
  let registry: TestRegistry;
  let folder: string;
  const at = (rest: string): Reference => parseReference(`${registry.host}/${rest}`);
  beforeAll(async () => {
    registry = await startRegistry();
    folder = mkdtempSync(join(tmpdir(), "tiphys-oci-"));
  });
  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it("pushes an index of images and pulls the one for a platform, by tag and by digest", async () => {
    const oci = client();
    const images = [
      { ...(await imageFor(amd64, "a")), platform: amd64 },
      { ...(await imageFor(arm64, "b")), platform: arm64 },
    ];
    for (const image of images) {
      await pushPackage(oci, at(`multi@${image.descriptor.digest}`), image);
    }
    const digest = await pushPackage(oci, at("multi:1"), buildIndex(images));
    for (const reference of [at("multi:1"), at(`multi@${digest}`)]) {
      const image = await oci.image(reference, arm64);
      expect(image).toMatchObject({
        digest,
        manifestDescriptor: { digest: images[1]!.descriptor.digest },
        config: { architecture: "arm64", config: { Cmd: ["cat", "/file"] } },
      });
    }
    expect(await oci.resolve(at("multi:1"))).toMatchObject({ mediaType: mediaTypes.index, digest });
    await expect(oci.image(at("multi:1"), { os: "linux", architecture: "s390x" })).rejects.toThrow(
      "no match for platform in manifest",
    );
    await expect(oci.image(at("multi:2"), amd64)).rejects.toMatchObject({
      code: "NotFound",
      message: expect.stringMatching(/multi:2: not found: .*MANIFEST_UNKNOWN/),
    });
  });

  it("sends large blobs in pieces, mounts them elsewhere, and fetches them to a file", async () => {
    const oci = client();
    const file = join(folder, "big");
    const bytes = randomBytes(17 * 1024 * 1024);
    writeFileSync(file, bytes);
    const descriptor = { mediaType: "application/x", digest: sha256Of(bytes), size: bytes.length };
    await oci.pushBlob(at("big"), { descriptor, content: { file } });
    expect(await oci.hasBlob(at("other"), descriptor.digest)).toBe(false);
    await oci.pushBlob(at("other"), { descriptor, content: { file: "/nowhere" } }, { from: "big" });
    const got = join(folder, "got");
    await oci.download(at("other"), descriptor, got);
    expect(readFileSync(got).equals(bytes)).toBe(true);
    await expect(oci.download(at("other"), descriptor, join(folder, "no"), { maxBytes: 1000 })).rejects.toThrow(
      "more than 1000",
    );
  });

  it("goes on with a part, and begins anew when the part is wrong", async () => {
    const oci = client();
    const bytes = randomBytes(300_000);
    const descriptor = { mediaType: "application/x", digest: sha256Of(bytes), size: bytes.length };
    await oci.pushBlob(at("part"), { descriptor, content: bytes });
    for (const part of [bytes.subarray(0, 100_000), randomBytes(100_000), randomBytes(400_000)]) {
      const file = join(folder, `part-${part.length}-${part[0]}`);
      writeFileSync(`${file}.part`, part);
      await expect(
        oci.download(at("part"), descriptor, file).catch(() => oci.download(at("part"), descriptor, file)),
      ).resolves.toBeUndefined();
      expect(readFileSync(file).equals(bytes)).toBe(true);
    }
  });

  it("lists tags page by page, deletes, and keeps artifacts with their subject", async () => {
    const oci = client();
    const image = await imageFor(amd64, "subject");
    for (let i = 0; i < 5; i++) await pushPackage(oci, at(`paged:v${i}`), image);
    expect((await all(oci.tags(at("paged")))).sort()).toEqual(["v0", "v1", "v2", "v3", "v4"]);
    const content = Buffer.from("{}");
    const signature = buildArtifact({
      artifactType: "application/vnd.example.signature",
      layers: [{ descriptor: { mediaType: "application/json", digest: sha256Of(content), size: 2 }, content }],
      subject: image.descriptor,
      annotations: { by: "me" },
    });
    await pushPackage(oci, at(`paged@${signature.descriptor.digest}`), signature);
    const found = await oci.referrers(at("paged"), image.descriptor.digest, {
      artifactType: "application/vnd.example.signature",
    });
    expect(found).toMatchObject([{ digest: signature.descriptor.digest, annotations: { by: "me" } }]);
    expect(await oci.referrers(at("paged"), image.descriptor.digest, { artifactType: "other" })).toEqual([]);
    await expect(oci.image(at(`paged@${signature.descriptor.digest}`), amd64)).rejects.toThrow(
      "is no image but an artifact",
    );
    await oci.deleteManifest(at(`paged@${signature.descriptor.digest}`));
    await expect(oci.manifest(at(`paged@${signature.descriptor.digest}`))).rejects.toMatchObject({ code: "NotFound" });
  });

  it("asks a mirror first and the registry when the mirror has it not", async () => {
    const image = await imageFor(amd64, "mirrored");
    await pushPackage(client(), at("team/mirrored:1"), image);
    const dead = "127.0.0.1:9";
    const oci = client({ "example.invalid": { mirrors: [dead, registry.host] } });
    const found = await oci.image(parseReference("example.invalid/team/mirrored:1"), amd64);
    expect(found.digest).toBe(image.descriptor.digest);
  });
});

describeWith(["docker-registry"], "a registry with login and TLS", () => {
  it("takes the right password over TLS that is trusted, and nothing else", async () => {
    await using registry = await startRegistry({ login: { username: "me", password: "s3cret" }, tls: true });
    const reference = parseReference(`${registry.host}/private/app:1`);
    const oci = client({ [registry.host]: { ca: registry.ca! } });
    const keyring = keyringFor(registry.host, "me:s3cret");
    const image = await imageFor(amd64, "x");
    await pushPackage(oci, reference, image, { keyring });
    expect((await oci.image(reference, amd64, { keyring })).digest).toBe(image.descriptor.digest);
    for (const wrong of [
      undefined,
      keyringFor(registry.host, "me:wrong-one"),
      keyringFor("other.example", "me:s3cret"),
    ]) {
      const refusal = oci.image(reference, amd64, wrong ? { keyring: wrong } : {});
      await expect(refusal).rejects.toMatchObject({
        code: "Unauthenticated",
        message: expect.stringMatching(/^pull access denied(?!.*(s3cret|wrong-one))/),
      });
    }
    // One wrong secret among several does not hide the right one.
    const both = (...args: [string, string]) => [...keyringFor(registry.host, "me:no")(...args), ...keyring(...args)];
    expect((await oci.image(reference, amd64, { keyring: both })).digest).toBe(image.descriptor.digest);
    await expect(
      client({ [registry.host]: { plainHttp: false } }).image(reference, amd64, { keyring }),
    ).rejects.toThrow(/self.signed|certificate/);
  });
});

describe("a registry with a token service", () => {
  it("gets a token for the scope, once, with the password or the refresh token", async () => {
    const asked: string[] = [];
    const image = await imageFor(amd64, "tokens");
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      const url = new URL(request.url ?? "/", "http://x");
      const json = (status: number, body: unknown, headers = {}) =>
        response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
      if (url.pathname === "/token") {
        request.setEncoding("utf8");
        let body = "";
        request.on("data", (chunk) => {
          body += chunk;
        });
        request.on("end", () => {
          const basic = Buffer.from((request.headers.authorization ?? "").slice(6), "base64").toString();
          asked.push(
            [request.method, url.searchParams.get("scope") ?? new URLSearchParams(body).get("scope"), basic].join(" "),
          );
          const good = basic === "me:pw" || new URLSearchParams(body).get("refresh_token") === "refresh";
          if (good)
            json(200, request.method === "POST" ? { access_token: "good" } : { token: "good", expires_in: 300 });
          else json(401, {});
        });
        return;
      }
      if (request.headers.authorization !== "Bearer good") {
        const realm = `http://${request.headers.host}/token`;
        return void json(
          401,
          { errors: [{ code: "UNAUTHORIZED" }] },
          { "www-authenticate": `Bearer realm="${realm}",service="svc"` },
        );
      }
      if (url.pathname.includes("/manifests/")) {
        return void response.writeHead(200, { "content-type": mediaTypes.manifest }).end(image.bytes);
      }
      const blob = image.blobs.find(({ descriptor }) => url.pathname.endsWith(descriptor.digest));
      response.writeHead(blob ? 200 : 404).end(blob?.content);
    };
    const server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      const reference = parseReference(`${host}/a/b:1`);
      const oci = client();
      await oci.image(reference, amd64, { keyring: keyringFor(host, "me:pw") });
      expect(asked).toEqual(["GET repository:a/b:pull me:pw"]);
      const identity = keyringOf([
        JSON.stringify({ auths: { [host]: { username: "<token>", identitytoken: "refresh" } } }),
      ]);
      await oci.image(reference, amd64, { keyring: identity });
      expect(asked.at(-1)).toBe("POST repository:a/b:pull ");
      await expect(oci.image(reference, amd64)).rejects.toThrow("failed to authorize: failed to fetch anonymous token");
    } finally {
      server.close();
    }
  });
});

it("resumes a download that breaks off, with what it has", async () => {
  const bytes = randomBytes(400_000);
  const ranges: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    ranges.push(request.headers.range);
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, { "content-length": bytes.length - from });
    if (ranges.length < 3) response.write(bytes.subarray(from, from + 150_000), () => response.destroy());
    else response.end(bytes.subarray(from));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const folder = mkdtempSync(join(tmpdir(), "tiphys-oci-"));
  try {
    const reference = parseReference(`127.0.0.1:${(server.address() as AddressInfo).port}/x:1`);
    const descriptor = { mediaType: "application/x", digest: sha256Of(bytes), size: bytes.length };
    await client().download(reference, descriptor, join(folder, "x"));
    expect(statSync(join(folder, "x")).size).toBe(bytes.length);
    expect(ranges.length).toBe(3);
    expect(ranges[2]).toMatch(/^bytes=\d{4,}-$/);
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

it("follows the links of a list that comes in pages", async () => {
  const server = createServer((request, response) => {
    const last = new URL(request.url ?? "/", "http://x").searchParams.get("last");
    const link = last ? {} : { link: '</v2/x/tags/list?n=2&last=b>; rel="next"' };
    response.writeHead(200, link).end(JSON.stringify({ name: "x", tags: last ? ["c"] : ["a", "b"] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const reference = parseReference(`127.0.0.1:${(server.address() as AddressInfo).port}/x`);
  expect(await all(client().tags(reference, { pageSize: 2 }))).toEqual(["a", "b", "c"]);
  server.close();
});
