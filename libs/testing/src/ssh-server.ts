import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { programPath } from "./programs.js";
import { freePort } from "./servers.js";
import { eventually } from "./wait.js";

/** A private sshd of the user that runs the tests, reachable with one key. */
export interface SshServer {
  readonly port: number;
  readonly user: string;
  /** The private key that is let in. */
  readonly key: string;
  /** A private key that is not. */
  readonly strangerKey: string;
  /** The server's public key, `ssh-ed25519 AAAA…`, for known_hosts. */
  readonly hostKey: string;
  /** A public key that is not the server's. */
  readonly otherHostKey: string;
  close(): Promise<void>;
}

/** Starts sshd on a free port of the loopback with keys of its own below `folder`, and no forced command. */
export async function startSshServer(folder: string): Promise<SshServer> {
  const sshd = programPath("sshd");
  if (!sshd) throw new Error("sshd is not installed");
  mkdirSync(folder, { recursive: true });
  const file = (name: string) => join(folder, name);
  const key = (name: string) => {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", file(name)]);
    return readFileSync(file(name), "utf8");
  };
  const publicKey = (name: string) =>
    readFileSync(file(`${name}.pub`), "utf8")
      .split(" ")
      .slice(0, 2)
      .join(" ");
  key("host");
  const client = key("client");
  const strangerKey = key("stranger");
  writeFileSync(file("authorized_keys"), readFileSync(file("client.pub")));
  chmodSync(file("authorized_keys"), 0o600);
  // sshd of root wants the empty folder it locks its unprivileged half into.
  if (process.getuid?.() === 0 && !existsSync("/run/sshd")) mkdirSync("/run/sshd", { mode: 0o755 });
  const port = await freePort();
  const config = [
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${file("host")}`,
    `AuthorizedKeysFile ${file("authorized_keys")}`,
    `PidFile ${file("pid")}`,
    "StrictModes no",
    "UsePAM no",
    "PermitRootLogin yes",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PubkeyAuthentication yes",
    `SetEnv PATH=${process.env["PATH"] ?? "/usr/bin:/bin"}`,
  ];
  writeFileSync(file("sshd_config"), `${config.join("\n")}\n`);
  const child = spawn(sshd, ["-D", "-e", "-f", file("sshd_config")], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (part: Buffer) => {
    said += part.toString();
  });
  await eventually(
    () => {
      if (child.exitCode !== null) throw new Error(`sshd ended with ${child.exitCode}: ${said}`);
      return said.includes("listening on");
    },
    { describe: () => said },
  );
  return {
    port,
    user: userInfo().username,
    key: client,
    strangerKey,
    hostKey: publicKey("host"),
    otherHostKey: publicKey("stranger"),
    close: async () => {
      const ended = child.exitCode === null ? new Promise((resolve) => child.once("exit", resolve)) : undefined;
      child.kill("SIGTERM");
      await ended;
    },
  };
}
