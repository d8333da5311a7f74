import { spawn } from "node:child_process";
import { InternalError } from "@tiphys/errors";

const identity = [
  "-c",
  "user.name=Ada Shopkeeper",
  "-c",
  "user.email=ada@demo.localhost",
  "-c",
  "init.defaultBranch=main",
  "-c",
  "commit.gpgSign=false",
];

/** Runs git and gives its output; throws with git's own words. Nothing secret may be in `args`. */
export async function git(
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const child = spawn("git", [...identity, ...args], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    // Real environment: git is where the user of the demo has it.
    env: { PATH: process.env["PATH"], HOME: cwd, GIT_TERMINAL_PROMPT: "0", GIT_CONFIG_NOSYSTEM: "1", ...env },
  });
  const output: Buffer[] = [];
  const problems: Buffer[] = [];
  child.stdout.on("data", (chunk) => output.push(chunk));
  child.stderr.on("data", (chunk) => problems.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new InternalError(`git ${args[0]} failed: ${Buffer.concat(problems).toString("utf8").trim()}`);
  return Buffer.concat(output).toString("utf8");
}
