import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A private GnuPG home, for making keys and signatures and as the oracle of what they are worth. */
export interface Gpg {
  readonly home: string;
  /** Runs gpg; `at` is the time it believes in all the while, as Unix seconds. Throws with its words when it fails. */
  run(args: readonly string[], options?: { input?: string | Uint8Array; at?: number }): Buffer;
  /** Makes a key without a passphrase; answers the fingerprint. `expire` as gpg takes it (`1d`, `0`). */
  key(userId: string, algorithm: string, options?: { usage?: string; expire?: string; at?: number }): string;
  /** The public key, armored. */
  publicKey(fingerprint: string): string;
  /** Status lines of a verification (`GOODSIG …`, `BADSIG …`), whatever its outcome. */
  status(args: readonly string[], options?: { input?: string | Uint8Array; at?: number }): string[];
  dispose(): void;
}

export function createGpg(): Gpg {
  // The agent's socket lies in there, and paths of sockets are short.
  const home = mkdtempSync("/tmp/gpg-");
  const call = (args: readonly string[], { input, at }: { input?: string | Uint8Array; at?: number } = {}) =>
    spawnSync(
      "gpg",
      [
        "--batch",
        "--no-tty",
        "--yes",
        "--pinentry-mode=loopback",
        "--passphrase=",
        "--trust-model=always",
        ...(at === undefined ? [] : [`--faked-system-time=${at}!`]),
        ...args,
      ],
      { env: { PATH: process.env["PATH"], GNUPGHOME: home, LC_ALL: "C" }, input: input ?? "", maxBuffer: 64 << 20 },
    );
  const run: Gpg["run"] = (args, options) => {
    const { status, stdout, stderr } = call(args, options);
    if (status !== 0) throw new Error(`gpg ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  return {
    home,
    run,
    key(userId, algorithm, { usage = "sign", expire = "0", at } = {}) {
      run(["--quick-gen-key", userId, algorithm, usage, expire], at === undefined ? {} : { at });
      const listed = run(["--with-colons", "--list-keys", userId], at === undefined ? {} : { at }).toString();
      return /^fpr:{9}([0-9A-F]{40}):/m.exec(listed)?.[1] ?? "";
    },
    publicKey: (fingerprint) => run(["--armor", "--export", fingerprint]).toString(),
    status(args, options) {
      const file = join(home, "input");
      writeFileSync(file, options?.input ?? "");
      const { stdout } = call(["--status-fd=1", ...args, file], options?.at === undefined ? {} : { at: options.at });
      return [...stdout.toString().matchAll(/^\[GNUPG:\] (.*)$/gm)].map(([, line]) => line ?? "");
    },
    dispose() {
      spawnSync("gpgconf", ["--kill", "all"], { env: { PATH: process.env["PATH"], GNUPGHOME: home } });
      rmSync(home, { recursive: true, force: true });
    },
  };
}
