import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { createDialer } from "@tiphys/dialer";
import { joinKeyRings, type KeyRing, parseKeyRing } from "@tiphys/openpgp";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { createGpg, describeWith, type Gpg, programPath, temporaryDirectory } from "@tiphys/testing";
import { checkProvenance, createChartSource } from "./index.js";

describeWith(["helm", "gpg"], "charts that helm has signed", () => {
  const folder = temporaryDirectory();
  const clock = systemClock();
  let gpg: Gpg;
  let keys: KeyRing;
  let provenance: string;
  let archive: Buffer;
  const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const check = (more: object = {}) =>
    checkProvenance({
      provenance,
      fileName: "web-1.2.0.tgz",
      sha256: sha(archive),
      keys,
      now: clock.now(),
      what: "chart web",
      ...more,
    });

  beforeAll(() => {
    gpg = createGpg();
    const fingerprint = gpg.key("Signer <signer@example.test>", "rsa2048");
    keys = parseKeyRing(gpg.publicKey(fingerprint));
    writeFileSync(join(folder.path, "secret.gpg"), gpg.run(["--export-secret-keys", fingerprint]));
    mkdirSync(join(folder.path, "web"));
    writeFileSync(join(folder.path, "web/Chart.yaml"), "apiVersion: v2\nname: web\nversion: 1.2.0\n");
    const args = ["package", "--sign", "--key", "Signer", "--keyring", join(folder.path, "secret.gpg"), "web"];
    execFileSync(programPath("helm")!, args, {
      cwd: folder.path,
      env: { HOME: folder.path, PATH: process.env["PATH"] ?? "" },
      stdio: "pipe",
    });
    archive = readFileSync(join(folder.path, "web-1.2.0.tgz"));
    provenance = readFileSync(join(folder.path, "web-1.2.0.tgz.prov"), "utf8");
  });
  afterAll(() => {
    gpg.dispose();
    folder.dispose();
  });

  it("are known by who signed them", () => expect(check()).toBe("Signer <signer@example.test>"));

  it.each([
    { why: "of a stranger", more: () => ({ keys: joinKeyRings([]) }), error: "no good signature of a key" },
    { why: "with other content", more: () => ({ sha256: "0".repeat(64) }), error: "its digest is sha256:000" },
    {
      why: "of another name",
      more: () => ({ fileName: "db-1.tgz" }),
      error: "does not contain a SHA for a file named",
    },
    {
      why: "whose provenance was changed",
      more: () => ({ provenance: provenance.replace("version: 1.2.0", "version: 1.2.1") }),
      error: "no good signature of a key in argocd-gpg-keys-cm (bad",
    },
    { why: "without a signature", more: () => ({ provenance: "name: web\n" }), error: "cannot be read" },
  ])("are refused $why", ({ more, error }) => expect(() => check(more())).toThrow(error));

  it("are fetched where the repository's credentials want signatures, and no others", async () => {
    const files = new Map<string, Uint8Array | string>([
      [
        "/index.yaml",
        JSON.stringify({
          apiVersion: "v1",
          entries: { web: [{ name: "web", version: "1.2.0", urls: ["web-1.2.0.tgz"] }] },
        }),
      ],
      ["/web-1.2.0.tgz", archive],
    ]);
    const server: Server = createServer((request, response) => {
      const file = files.get(request.url ?? "");
      response.writeHead(file === undefined ? 404 : 200).end(file);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const charts = await createChartSource({
        directory: join(folder.path, "cache"),
        dialer: createDialer({ clock, log: silentLogger, metrics: noMetrics }),
        clock,
        credentials: async () => ({ credentials: { signers: keys }, listed: true }),
      });
      const repository = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const fetch = () => charts.chart({ repository, name: "web", revision: "1.2.0" }, { maxAge: 0 });
      await expect(fetch()).rejects.toThrow(
        "has no provenance file, and its repository's Secret wants charts verified",
      );
      files.set("/web-1.2.0.tgz.prov", provenance);
      expect((await fetch()).sha256).toBe(sha(archive));
      files.set("/web-1.2.0.tgz.prov", provenance.replace(/files:/, "file:"));
      await expect(fetch()).rejects.toMatchObject({ code: "PermissionDenied" });
    } finally {
      server.close();
    }
  });
});
