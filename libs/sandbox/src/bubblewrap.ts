import { existsSync, lstatSync, readlinkSync } from "node:fs";
import { bounded, ETC, innerEnv, ROOTS } from "./programs.js";
import type { MakeArguments } from "./sandbox.js";

const NOBODY = "65534";

/** The command line of bubblewrap. */
export const bubblewrapped: MakeArguments = (program, bounds, tools) => {
  const args = [
    "--die-with-parent",
    "--new-session",
    "--unshare-pid",
    "--unshare-uts",
    "--unshare-ipc",
    "--unshare-cgroup-try",
    "--hostname",
    "sandbox",
    "--clearenv",
  ];
  if (!program.network) args.push("--unshare-net");
  if (tools.otherUser) args.push("--unshare-user", "--uid", NOBODY, "--gid", NOBODY);
  args.push("--cap-drop", "ALL");
  for (const [name, value] of Object.entries(innerEnv(program))) args.push("--setenv", name, value);
  args.push("--ro-bind", "/usr", "/usr");
  for (const name of ROOTS) {
    const path = `/${name}`;
    if (!existsSync(path)) continue;
    if (lstatSync(path).isSymbolicLink()) args.push("--symlink", readlinkSync(path), path);
    else args.push("--ro-bind", path, path);
  }
  for (const name of ETC) args.push("--ro-bind-try", `/etc/${name}`, `/etc/${name}`);
  args.push("--proc", "/proc", "--dev", "/dev");
  for (const target of ["/tmp", "/work"]) args.push("--size", String(bounds.workBytes), "--tmpfs", target);
  for (const { source, target } of program.mounts ?? []) args.push("--ro-bind", source, target);
  // What is left of the root is in memory too, and without a limit.
  args.push("--remount-ro", "/", "--chdir", "/work", "--", "/bin/sh", "-c", bounded(program.script, bounds));
  return [tools.program, ...args];
};
