import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Secret } from "@tiphys/secret";
import yaml from "js-yaml";
import { ageOpener, decryptSops, type KeyOpeners, pgpOpener } from "./index.js";
import { yamlStore } from "./stores/yaml.js";

const testdata = join(dirname(fileURLToPath(import.meta.url)), "testdata");
const read = (path: string) => readFileSync(join(testdata, path));
const text = (path: string) => read(path).toString("utf8");
const ageKeys = (...names: string[]) => ageOpener(names.map((name) => new Secret(text(`keys/${name}.age`))));
const one: KeyOpeners = { age: ageKeys("one") };

/** Values as they mean, whatever their text: the recorded files keep what the program read from the clear ones. */
const documents = (of: string) => yaml.loadAll(of, undefined, { schema: yaml.CORE_SCHEMA });

describe("files that the sops program encrypted", () => {
  const recorded = readdirSync(join(testdata, "encrypted")).filter((name) => !/^(?:rsa|curve|shamir)/.test(name));
  it.each(recorded)("%s is what it was", async (name) => {
    const file = name.slice(name.indexOf("--") + 2);
    const clear = await decryptSops({ path: name, data: read(`encrypted/${name}`) }, one);
    if (file.endsWith(".yaml")) {
      const wanted = yamlStore.emit(yamlStore.parse(text(`clear/${file}`)));
      expect(clear).toBe(wanted);
      expect(documents(clear!)).toEqual(documents(wanted));
    } else expect(clear).toBe(text(`decrypted/${name}`).replace(/^#.*\n/gm, ""));
  });
});

describe("the data key", () => {
  const open = (name: string, openers: KeyOpeners) =>
    decryptSops({ path: name, data: read(`encrypted/${name}`) }, openers);

  it("is put together from the parts of as many key groups as it needs", async () => {
    expect(await open("shamir-two-of-three--secret.yaml", { age: ageKeys("one", "two") })).toContain('"correct horse"');
    await expect(open("shamir-two-of-three--secret.yaml", one)).rejects.toThrow(
      "1 of the 2 key groups that are needed it is encrypted for",
    );
    await expect(open("shamir-three-of-three--many.yaml", { age: ageKeys("one", "two") })).rejects.toThrow(
      "2 of the 3 key groups",
    );
  });

  it.each(["rsa", "curve"])("is opened by a PGP key: %s", async (name) => {
    const content = new Secret(read(`keys/${name}.asc`).toString("base64"));
    expect(await open(`${name}--secret.yaml`, { pgp: pgpOpener([{ content }]) })).toContain('"correct horse"');
    const other = new Secret(read(`keys/${name === "rsa" ? "curve" : "rsa"}.asc`).toString("base64"));
    await expect(open(`${name}--secret.yaml`, { pgp: pgpOpener([{ content: other }]) })).rejects.toThrow(
      /none of the keys it is encrypted for \(pgp [0-9A-F]{40}/,
    );
  });

  it("is refused by the names of the keys that would open it", async () => {
    const two = /age1\w+/.exec(text("keys/two.age"))![0];
    await expect(open("plain--many.yaml", { age: ageKeys("two") })).rejects.toThrow(
      /^plain--many.yaml: none of the keys it is encrypted for \(age age1\w+\) can be opened with the keys we have$/,
    );
    await expect(open("two-recipients--secret.yaml", {})).rejects.toThrow(two);
  });

  it("of kinds that are not there is refused by the kind's name", async () => {
    const data = Buffer.from(
      "a: ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]\nsops:\n  kms: [{arn: some, enc: x}]\n  lastmodified: x\n  mac: x\n",
    );
    await expect(decryptSops({ path: "a.yaml", data }, one)).rejects.toThrow(
      "a.yaml: SOPS with keys of kms is not implemented yet",
    );
  });

  it("is not asked for where a line of the keys is none", async () => {
    await expect(open("plain--many.yaml", { age: ageOpener([new Secret("AGE-SECRET")]) })).rejects.toThrow(
      "identity 1 is no age identity",
    );
  });
});

describe("files that were changed after they were encrypted", () => {
  const name = "encrypted-regex--secret.yaml";
  const changed = (change: (text: string) => string, file = name) =>
    decryptSops({ path: "secret.yaml", data: Buffer.from(change(text(`encrypted/${file}`))) }, one);

  it.each([
    { why: "a clear value", change: (of: string) => of.replace("type: Opaque", "type: other") },
    { why: "a value more", change: (of: string) => of.replace("type: Opaque", "type: Opaque\nmore: x") },
    { why: "a value less", change: (of: string) => of.replace("type: Opaque\n", "") },
    { why: "the rule", change: (of: string) => of.replace(/encrypted_regex: .*/, "unencrypted_regex: ^.*$") },
    { why: "no checksum", change: (of: string) => of.replace(/mac: .*/, "mac: ''") },
    { why: "its time", change: (of: string) => of.replace(/lastmodified: .*/, 'lastmodified: "2020-01-01T00:00:00Z"') },
    {
      why: "two values that changed places",
      change: (of: string) => {
        const [user = "", password = ""] = [/user: (ENC.*)/, /password: (ENC.*)/].map((line) => line.exec(of)![1]!);
        return of.replace(user, "X").replace(password, user).replace("X", password);
      },
    },
    {
      why: "a byte of a value",
      change: (of: string) => of.replace(/user: ENC\[AES256_GCM,data:./, "user: ENC[AES256_GCM,data:/"),
    },
    {
      why: "a clear value in place of an encrypted one",
      change: (of: string) => of.replace(/user: ENC.*/, "user: eA=="),
    },
  ])("are refused: $why", async ({ change }) => {
    await expect(changed(change)).rejects.toThrow(
      /^secret.yaml: (its checksum does not fit|\S+ cannot be decrypted|(2020-\S+|\S+:\S+) should be encrypted)/,
    );
  });

  it("say nothing of any value", async () => {
    const error = await changed((of) => of.replace("type: Opaque", "type: changed-by-hand")).catch((thrown) => thrown);
    expect(String(error)).not.toMatch(/correct horse|changed-by-hand|5432/);
  });
});

describe("other files", () => {
  it("are left alone", async () => {
    const data = Buffer.from("sops: {lastmodified: x}\nb: 'ENC[AES256_GCM,'\n");
    expect(await decryptSops({ path: "a.yaml", data: Buffer.from("a: 1\n") }, one)).toBeUndefined();
    expect(await decryptSops({ path: "a.env", data }, one)).toBeUndefined();
    const page = `# How to\n\n${text("encrypted/plain--many.yaml")}`;
    expect(await decryptSops({ path: "README.md", data: Buffer.from(page) }, one)).toBeUndefined();
  });

  it("that are damaged are refused with their place and no more", async () => {
    const whole = text("encrypted/plain--types.yaml");
    for (const cut of [30, 300, 3000, whole.length - 60]) {
      const data = Buffer.from(`${whole.slice(0, cut)}\n{ENC[AES256_GCM,lastmodified\nsops: `);
      await expect(decryptSops({ path: "x.yaml", data }, one)).rejects.toThrow(/^x\.yaml: line \d+: [a-z ]+$/);
    }
    for (const cut of [20, 200, 900]) {
      const data = Buffer.from(
        `${text("encrypted/plain--data.json").slice(0, cut)} ENC[AES256_GCM, "sops" lastmodified`,
      );
      await expect(decryptSops({ path: "x.json", data }, one)).rejects.toThrow(
        /^x\.json: the JSON is not valid at character \d+$/,
      );
    }
  });

  it("of any bytes end in a refusal of ours", async () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    const names = readdirSync(join(testdata, "encrypted"));
    for (let i = 0; i < 100; i++) {
      const name = names[random(names.length)]!;
      const data = Buffer.from(read(`encrypted/${name}`));
      for (let j = random(4) + 1; j > 0; j--) data[random(data.length)] = random(256);
      const result = await decryptSops({ path: name, data }, one).catch((error: unknown) => error);
      if (result instanceof Error) expect(result).toHaveProperty("code", expect.not.stringMatching("Unknown"));
    }
  });
});
