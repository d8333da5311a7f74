import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hash } from "bcryptjs";
import { selfSignedCertificate } from "./certificate.js";
import { programPath } from "./programs.js";
import { freePort } from "./servers.js";
import { eventually } from "./wait.js";

export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** PEM to trust, when it speaks TLS. */
  readonly ca?: string;
}

/** A private registry (docker's own program), with a login and TLS where asked. */
export async function startRegistry(
  options: { readonly login?: { readonly username: string; readonly password: string }; readonly tls?: boolean } = {},
): Promise<TestRegistry> {
  const command = programPath("docker-registry");
  if (!command) throw new Error("docker-registry is not installed");
  const folder = await mkdtemp(join(tmpdir(), "registry-"));
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const certificate = options.tls ? await selfSignedCertificate() : undefined;
  const lines = [
    "version: 0.1",
    "log: { level: error }",
    "storage:",
    `  filesystem: { rootdirectory: ${folder}/data }`,
    "  delete: { enabled: true }",
    "http:",
    `  addr: ${host}`,
    `  secret: ${folder.slice(-6)}`,
  ];
  if (certificate) {
    await writeFile(join(folder, "cert.pem"), certificate.cert);
    await writeFile(join(folder, "key.pem"), certificate.key, { mode: 0o600 });
    lines.push("  tls:", `    certificate: ${folder}/cert.pem`, `    key: ${folder}/key.pem`);
  }
  if (options.login) {
    const { username, password } = options.login;
    await writeFile(join(folder, "htpasswd"), `${username}:${await hash(password, 4)}\n`);
    lines.push("auth:", `  htpasswd: { realm: test, path: ${folder}/htpasswd }`);
  }
  await writeFile(join(folder, "config.yml"), `${lines.join("\n")}\n`);
  const child: ChildProcess = spawn(command, ["serve", join(folder, "config.yml")], { stdio: "ignore", cwd: folder });
  const scheme = certificate ? "https" : "http";
  const { request } = await import(`node:${scheme}`);
  await eventually(() => {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
    return new Promise<boolean>((resolve) => {
      const sent = request(`${scheme}://${host}/v2/`, { rejectUnauthorized: false }, (response: { resume(): void }) => {
        response.resume();
        resolve(true);
      });
      sent.on("error", () => resolve(false));
      sent.end();
    });
  });
  return {
    host,
    ...(certificate ? { ca: certificate.cert } : {}),
    async [Symbol.asyncDispose]() {
      const ended = child.exitCode !== null ? undefined : new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
