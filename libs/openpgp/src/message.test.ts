import { createGpg, describeWith, type Gpg, seeded, survives } from "@tiphys/testing";
import { decryptMessage, parseArmor, parseSecretKeys } from "./index.js";

const data = Buffer.from("a data key of some length\n".repeat(100));

describeWith(["gpg"], "messages that gpg encrypts", () => {
  let gpg: Gpg;
  beforeAll(() => {
    gpg = createGpg();
  });
  afterAll(() => gpg.dispose());

  let keys = 0;
  const make = (algorithm: string, passphrase = "") => {
    const user = `k${keys++}@example.test`;
    const more = [`--passphrase=${passphrase}`];
    const signing = algorithm.startsWith("rsa") ? "rsa2048" : "ed25519";
    gpg.run([...more, "--quick-gen-key", user, signing, "sign", "0"]);
    const listed = gpg.run(["--with-colons", "--list-keys", user]).toString();
    const fingerprint = /^fpr:{9}([0-9A-F]{40}):/m.exec(listed)?.[1] ?? "";
    gpg.run([...more, "--quick-add-key", fingerprint, algorithm, "encr", "0"]);
    return { fingerprint, secret: gpg.run([...more, "--armor", "--export-secret-keys", fingerprint]), user };
  };
  const encrypt = (to: string, ...more: string[]) =>
    gpg.run([...more, "--recipient", to, "--encrypt"], { input: data });

  it.each([
    { algorithm: "rsa2048", more: [], why: "the default" },
    { algorithm: "cv25519", more: ["--armor"], why: "armored" },
    { algorithm: "nistp256", more: ["--compress-algo=zlib"], why: "packed by zlib" },
    { algorithm: "nistp521", more: ["--cipher-algo=AES128", "--compress-algo=zip"], why: "AES of 128 bits" },
    { algorithm: "brainpoolP384r1", more: ["--compress-algo=none"], why: "not packed" },
    { algorithm: "cv25519", more: ["--hidden-recipient=k0@example.test"], why: "for somebody unnamed too" },
  ])("to $algorithm are read: $why", ({ algorithm, more }) => {
    const { fingerprint, secret } = make(algorithm);
    expect(decryptMessage(parseSecretKeys(secret), encrypt(fingerprint, ...more))).toEqual(data);
  });

  it("to a key with a passphrase are read with it alone", () => {
    const { fingerprint, secret } = make("cv25519", "correct horse");
    const message = encrypt(fingerprint);
    expect(decryptMessage(parseSecretKeys(secret, "correct horse"), message)).toEqual(data);
    expect(() => decryptMessage(parseSecretKeys(secret, "wrong"), message)).toThrow(
      "passphrase of the secret key is wrong",
    );
    expect(() => decryptMessage(parseSecretKeys(secret), message)).toThrow("has a passphrase, and none was given");
  });

  it("to others are not ours, and a public key is none", () => {
    const [mine, other] = [make("cv25519"), make("cv25519")];
    expect(decryptMessage(parseSecretKeys(mine.secret), encrypt(other.fingerprint))).toBeUndefined();
    expect(() => parseSecretKeys(Buffer.from(gpg.publicKey(mine.fingerprint)))).toThrow("no secret key in it");
  });

  it("survives broken keys and messages, and never gives other data", () => {
    const { fingerprint, secret } = make("cv25519");
    const ring = parseSecretKeys(secret);
    const random = seeded(11);
    const flipped = (from: Buffer) => {
      const copy = Buffer.from(from);
      copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
      return copy;
    };
    const message = encrypt(fingerprint);
    survives(
      Array.from({ length: 300 }, () => flipped(message)),
      (bytes) => {
        const read = decryptMessage(ring, bytes);
        if (read && !read.equals(data)) throw new Error("a changed message was read");
      },
    );
    const packets = parseArmor(secret.toString())[0]?.data ?? Buffer.alloc(0);
    survives(
      Array.from({ length: 300 }, () => flipped(packets)),
      (bytes) => decryptMessage(parseSecretKeys(bytes), message),
    );
  });
});
