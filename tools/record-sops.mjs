#!/usr/bin/env node
// Records what the `sops` program makes of libs/sops/src/testdata/clear, with keys made for it. Needs sops, age-keygen and gpg on
// the PATH; run by hand. The keys are thrown away with the test data that they open: they protect nothing.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const data = join(dirname(dirname(fileURLToPath(import.meta.url))), "libs/sops/src/testdata");
const work = mkdtempSync(join(tmpdir(), "record-sops-"));
const env = { ...process.env, GNUPGHOME: join(work, "gpg"), HOME: work };
const run = (program, args, options = {}) => execFileSync(program, args, { env, ...options }).toString();

try {
  mkdirSync(env.GNUPGHOME, { mode: 0o700 });
  for (const folder of ["encrypted", "keys"]) {
    rmSync(join(data, folder), { recursive: true, force: true });
    mkdirSync(join(data, folder));
  }
  const age = (name) => {
    const text = run("age-keygen", [], { stdio: ["ignore", "pipe", "ignore"] });
    writeFileSync(join(data, "keys", `${name}.age`), text);
    return /public key: (\S+)/.exec(text)[1];
  };
  const [one, two] = [age("one"), age("two")];
  const pgp = (name, signing, encryption) => {
    const user = `${name}@example.com`;
    const gpg = ["--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"];
    run("gpg", [...gpg, "--quick-generate-key", user, signing], { stdio: "pipe" });
    const listed = run("gpg", ["--list-keys", "--with-colons", user]);
    const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(listed)[1];
    run("gpg", [...gpg, "--quick-add-key", fingerprint, encryption, "encr"], { stdio: "pipe" });
    writeFileSync(join(data, "keys", `${name}.asc`), run("gpg", ["--armor", "--export-secret-keys", fingerprint]));
    return fingerprint;
  };
  const rsa = pgp("rsa", "rsa2048", "rsa2048");
  const curve = pgp("curve", "ed25519", "cv25519");

  const record = (name, file, args, config) => {
    const conf = join(work, "sops.yaml");
    if (config) writeFileSync(conf, config);
    const how = config ? ["--config", conf] : args;
    const out = run("sops", [...how, "--encrypt", join(data, "clear", file)], {
      stdio: ["ignore", "pipe", "inherit"],
      cwd: work,
    });
    writeFileSync(join(data, "encrypted", `${name}--${file}`), out);
  };
  const forOne = ["--age", one];
  for (const file of ["types.yaml", "many.yaml", "data.json", "app.env", "app.ini", "note.txt"])
    record("plain", file, forOne);
  record("two-recipients", "secret.yaml", ["--age", `${two},${one}`]);
  record("encrypted-regex", "secret.yaml", [...forOne, "--encrypted-regex", "^(data|stringData)$"]);
  record("unencrypted-regex", "secret.yaml", [...forOne, "--unencrypted-regex", "^(apiVersion|kind|metadata|type)$"]);
  record("encrypted-suffix", "secret.yaml", [...forOne, "--encrypted-suffix", "Data"]);
  record("unencrypted-suffix", "types.yaml", [...forOne, "--unencrypted-suffix", "_unencrypted"]);
  record("mac-only-encrypted", "secret.yaml", [
    ...forOne,
    "--encrypted-regex",
    "^(data|stringData)$",
    "--mac-only-encrypted",
  ]);
  record("encrypted-comment-regex", "comments.yaml", [...forOne, "--encrypted-comment-regex", "sops:enc"]);
  record("unencrypted-comment-regex", "comments.yaml", [...forOne, "--unencrypted-comment-regex", "sops:enc"]);
  record("rsa", "secret.yaml", ["--pgp", rsa]);
  record("curve", "secret.yaml", ["--pgp", curve]);
  const groups = (threshold) =>
    `creation_rules:\n  - shamir_threshold: ${threshold}\n    key_groups:\n      - age: [${one}]\n      - age: [${two}]\n      - pgp: [${rsa}]\n`;
  record("shamir-two-of-three", "secret.yaml", [], groups(2));
  record("shamir-three-of-three", "many.yaml", [], groups(3));
  // As the program writes formats whose text is not only data.
  mkdirSync(join(data, "decrypted"), { recursive: true });
  for (const name of ["plain--data.json", "plain--app.env", "plain--app.ini", "plain--note.txt"]) {
    const text = run("sops", ["--decrypt", join(data, "encrypted", name)], {
      env: { ...env, SOPS_AGE_KEY: readFileSync(join(data, "keys/one.age"), "utf8") },
    });
    writeFileSync(join(data, "decrypted", name), text);
  }
} finally {
  try {
    run("gpgconf", ["--kill", "all"]);
  } catch {}
  rmSync(work, { recursive: true, force: true });
}
