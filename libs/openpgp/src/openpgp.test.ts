import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createGpg, describeWith, type Gpg, mutations, seeded, survives } from "@tiphys/testing";
import {
  joinKeyRings,
  parseArmor,
  parseKeyRing,
  type SignatureCheck,
  verifyClearsigned,
  verifyDetached,
} from "./index.js";

const data = Buffer.from("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@example.test>\n\nmessage  \n");
const seconds = (time: string) => Date.parse(time) / 1000;
const past = seconds("2024-01-01T00:00:00Z");
const later = new Date("2024-06-01T00:00:00Z");

/** gpg's status words for ours. */
const words: Readonly<Record<string, SignatureCheck["status"]>> = {
  GOODSIG: "good",
  BADSIG: "bad",
  EXPSIG: "expired-signature",
  EXPKEYSIG: "expired-key",
  REVKEYSIG: "revoked-key",
  ERRSIG: "missing-key",
};

describeWith(["gpg"], "OpenPGP as gpg makes it and judges it", () => {
  let gpg: Gpg;
  beforeAll(() => {
    gpg = createGpg();
  });
  afterAll(() => gpg.dispose());

  const sign = (by: string, options: { at?: number; text?: boolean; more?: string[] } = {}) =>
    gpg
      .run(
        [
          ...(options.more ?? []),
          "--local-user",
          by,
          ...(options.text ? ["--textmode"] : []),
          "--armor",
          "--detach-sign",
        ],
        { input: data, at: options.at ?? past + 100 },
      )
      .toString();
  /** What gpg says of a signature over `signed` at `now`. */
  const gpgSays = (signature: string, signed: Uint8Array, now: Date) => {
    const file = join(gpg.home, "data.sig");
    writeFileSync(file, signature);
    const lines = gpg.status(["--verify", file], { input: signed, at: now.getTime() / 1000 });
    const line = lines.find((each) => (each.split(" ")[0] ?? "") in words) ?? "";
    const [word = "", keyId = ""] = line.split(" ");
    return { status: words[word], keyId };
  };
  const weSay = (ring: string | Uint8Array, signature: string, signed: Uint8Array, now: Date) => {
    const [{ status, keyId } = { status: "none", keyId: "" }] = verifyDetached(
      parseKeyRing(ring),
      signed,
      signature,
      now,
    );
    return { status, keyId };
  };

  it.each([
    "rsa1024",
    "rsa2048",
    "dsa1024",
    "ed25519",
    "nistp256",
    "nistp384",
    "nistp521",
    "brainpoolP256r1",
    "secp256k1",
  ])("verifies what a key of %s signed, and nothing else, as gpg does", (algorithm) => {
    const fingerprint = gpg.key(`${algorithm} <${algorithm}@example.test>`, algorithm, { at: past });
    const ring = gpg.publicKey(fingerprint);
    const [key] = parseKeyRing(ring).keys;
    expect(key).toMatchObject({
      fingerprint,
      keyId: fingerprint.slice(24),
      description: algorithm,
      userIds: [`${algorithm} <${algorithm}@example.test>`],
      expiresAt: undefined,
      revoked: false,
      createdAt: new Date(past * 1000),
    });
    for (const text of [false, true]) {
      const signature = sign(fingerprint, { text });
      const other = Buffer.concat([data, Buffer.from("x")]);
      for (const signed of [data, other]) {
        const ours = weSay(ring, signature, signed, later);
        expect(ours).toEqual(gpgSays(signature, signed, later));
        expect(ours.status).toBe(signed === data ? "good" : "bad");
      }
    }
  });

  it("judges signatures and keys that have ended as gpg does", () => {
    const ending = gpg.key("Ending <ending@example.test>", "ed25519", { at: past, expire: "30d" });
    const lasting = gpg.key("Lasting <lasting@example.test>", "ed25519", { at: past });
    const brief = sign(lasting, { more: ["--default-sig-expire=2d"] });
    for (const [by, signature] of [
      [ending, sign(ending)],
      [lasting, brief],
    ] as const) {
      for (const [day, ended] of [
        [1, false],
        [40, true],
      ] as const) {
        const now = new Date((past + 86_400 * day) * 1000);
        const ours = weSay(gpg.publicKey(by), signature, data, now);
        expect(ours).toEqual(gpgSays(signature, data, now));
        expect(ours.status === "good").toBe(!ended);
      }
    }
    expect(parseKeyRing(gpg.publicKey(ending)).keys[0]?.expiresAt).toEqual(new Date((past + 30 * 86_400) * 1000));
  });

  it("follows subkeys that signed back, and no others; revocations of either end it", () => {
    const fingerprint = gpg.key("Sub <sub@example.test>", "ed25519", { usage: "cert", at: past });
    gpg.run(["--quick-add-key", fingerprint, "rsa2048", "sign", "0"], { at: past + 10 });
    gpg.run(["--quick-add-key", fingerprint, "cv25519", "encr", "0"], { at: past + 11 });
    const ring = gpg.publicKey(fingerprint);
    const signature = sign(fingerprint);
    const [check] = verifyDetached(parseKeyRing(ring), data, signature, later);
    const sub = check?.keyId ?? "";
    expect(sub).not.toBe(fingerprint.slice(24));
    expect(check).toMatchObject({ status: "good", algorithm: "RSA", key: { primary: { fingerprint } } });
    expect(gpgSays(signature, data, later)).toEqual({ status: "good", keyId: sub });
    // Without its back signature the subkey could be somebody else's.
    const bytes = Buffer.from(parseArmor(ring)[0]?.data ?? []);
    const back = bytes.indexOf(Buffer.from([0x20, 0x04, 0x19]));
    expect(back).toBeGreaterThan(0);
    bytes[back] = 0x14;
    expect(weSay(bytes, signature, data, later).status).toBe("bad");
    gpg.run(["--command-fd=0", "--edit-key", fingerprint], {
      input: "key 1\nrevkey\ny\n0\n\ny\nsave\n",
      at: past + 500,
    });
    const revoked = gpg.publicKey(fingerprint);
    expect(weSay(revoked, signature, data, later)).toEqual(gpgSays(signature, data, later));
    expect(weSay(revoked, signature, data, later).status).toBe("revoked-key");
  });

  it("knows a revoked primary key", () => {
    const fingerprint = gpg.key("Gone <gone@example.test>", "ed25519", { at: past });
    const signature = sign(fingerprint);
    // gpg makes the certificate with the key; a colon keeps it from being used by mistake.
    const certificate = readFileSync(join(gpg.home, "openpgp-revocs.d", `${fingerprint}.rev`), "utf8");
    gpg.run(["--import"], { input: certificate.replace(":-----BEGIN", "-----BEGIN") });
    const ring = gpg.publicKey(fingerprint);
    expect(parseKeyRing(ring).keys[0]?.revoked).toBe(true);
    expect(weSay(ring, signature, data, later)).toEqual(gpgSays(signature, data, later));
    expect(weSay(ring, signature, data, later).status).toBe("revoked-key");
  });

  it("says which key is missing", () => {
    const known = gpg.key("Known <known@example.test>", "ed25519", { at: past });
    const stranger = gpg.key("Stranger <stranger@example.test>", "ed25519", { at: past });
    expect(weSay(gpg.publicKey(known), sign(stranger), data, later)).toEqual({
      status: "missing-key",
      keyId: stranger.slice(24),
    });
    const both = joinKeyRings([parseKeyRing(gpg.publicKey(known)), parseKeyRing(gpg.publicKey(stranger))]);
    expect(verifyDetached(both, data, sign(stranger), later)[0]?.status).toBe("good");
    // One text with several keys in it, and binary keys.
    expect(parseKeyRing(gpg.publicKey(known) + gpg.publicKey(stranger)).keys).toHaveLength(2);
    expect(parseKeyRing(gpg.run(["--export", known, stranger])).keys).toHaveLength(2);
  });

  it("reports every signature of several", () => {
    const one = gpg.key("One <one@example.test>", "ed25519", { at: past });
    const two = gpg.key("Two <two@example.test>", "rsa1024", { at: past });
    const signature = gpg.run(["--local-user", one, "--local-user", two, "--armor", "--detach-sign"], {
      input: data,
      at: past + 5,
    });
    const checks = verifyDetached(parseKeyRing(gpg.publicKey(one)), data, signature, later);
    expect(checks.map(({ status }) => status).sort()).toEqual(["good", "missing-key"]);
  });

  it("does not take a key for somebody else's name", () => {
    const fingerprint = gpg.key("Honest <honest@example.test>", "ed25519", { at: past });
    const [block] = parseArmor(gpg.publicKey(fingerprint));
    const forged = Buffer.from(
      block?.data.toString("latin1").replace("Honest <honest", "Maggie <maggie") ?? "",
      "latin1",
    );
    expect(parseKeyRing(forged).keys).toEqual([]);
  });

  describe("cleartext signed messages", () => {
    const message = "- a list\nFrom: me  \n\n-----BEGIN X-----\nlast line";
    let fingerprint: string;
    let clear: string;
    beforeAll(() => {
      fingerprint = gpg.key("Clear <clear@example.test>", "rsa2048", { at: past });
      clear = gpg.run(["--local-user", fingerprint, "--clearsign"], { input: message, at: past + 50 }).toString();
    });
    const check = (text: string) => verifyClearsigned(parseKeyRing(gpg.publicKey(fingerprint)), text, later);

    it("are read and verified", () => {
      expect(check(clear)).toMatchObject({
        text: message,
        signatures: [{ status: "good", keyId: fingerprint.slice(24) }],
      });
      expect(check(clear.replaceAll("\n", "\r\n")).signatures[0]?.status).toBe("good");
      expect(check(clear.replace("last", "lost")).signatures[0]?.status).toBe("bad");
    });
    it.each([
      ["text before them", (text: string) => `unsigned: true\n${text}`],
      ["text after them", (text: string) => `${text}unsigned: true\n`],
      ["headers that gpg does not write", (text: string) => text.replace("Hash:", "Comment:")],
      ["no signature", (text: string) => text.slice(0, text.indexOf("-----BEGIN PGP SIGNATURE"))],
      ["dashes without an escape", (text: string) => text.replace("- - a list", "-a list")],
    ])("are refused with %s", (_, change) => expect(() => check(change(clear))).toThrow(/^OpenPGP: /));
  });

  it("refuses private keys, and what is no key", () => {
    const fingerprint = gpg.key("Private <private@example.test>", "ed25519", { at: past });
    const secret = gpg.run(["--armor", "--export-secret-keys", fingerprint]).toString();
    expect(() => parseKeyRing(secret)).toThrow(/PGP PRIVATE KEY BLOCK is not a PGP PUBLIC KEY BLOCK/);
    expect(() => parseKeyRing("hello")).toThrow(/no PGP PUBLIC KEY BLOCK/);
    expect(() => verifyDetached(parseKeyRing(gpg.publicKey(fingerprint)), data, "hello", later)).toThrow(/OpenPGP/);
    expect(() => parseKeyRing(gpg.publicKey(fingerprint).replace(/\n=....\n/, "\n=AAAA\n"))).toThrow(/checksum/);
  });

  it("survives broken keys and signatures, and finds none of them good", () => {
    const fingerprint = gpg.key("Fuzz <fuzz@example.test>", "rsa1024", { at: past });
    gpg.run(["--quick-add-key", fingerprint, "ed25519", "sign", "0"], { at: past + 10 });
    const ringText = gpg.publicKey(fingerprint);
    const signature = sign(fingerprint);
    const ring = parseKeyRing(ringText);
    survives(mutations([ringText], 500), (text) => parseKeyRing(text));
    survives(mutations([signature], 500), (text) => verifyDetached(ring, data, text, later));
    const key = parseArmor(ringText)[0]?.data ?? Buffer.alloc(0);
    const packet = parseArmor(signature)[0]?.data ?? Buffer.alloc(0);
    const random = seeded(7);
    const flipped = (from: Buffer) => {
      const copy = Buffer.from(from);
      copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
      return copy;
    };
    survives(
      Array.from({ length: 1000 }, () => flipped(key)),
      (bytes) => parseKeyRing(bytes),
    );
    // A changed octet of the unhashed area changes nothing; any other must not pass.
    const hashedEnd = 2 + 6 + packet.readUInt16BE(2 + 4);
    survives(
      Array.from({ length: 1000 }, () => flipped(packet)),
      (bytes) => {
        const [check] = verifyDetached(ring, data, bytes, later);
        const same = bytes.subarray(2, hashedEnd).equals(packet.subarray(2, hashedEnd));
        if (check?.status === "good" && !same) throw new Error("a changed signature was taken for good");
      },
    );
  });
});
