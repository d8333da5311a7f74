import { existsSync, lstatSync, readlinkSync } from "node:fs";
import { bounded, ETC, innerEnv, ROOTS, shellWord } from "./programs.js";
import type { MakeArguments } from "./sandbox.js";

const DEVICES = ["null", "zero", "full", "random", "urandom"];

/** The same view made by util-linux: `unshare` gives the namespaces, a script of mounts the files. */
export const unshared: MakeArguments = (program, bounds, tools) => {
  const asRoot = process.getuid?.() === 0;
  // A mount that a user namespace may not make read-only is still that user's own.
  const bind = (source: string, target: string) =>
    `mount --bind ${shellWord(source)} "$R"${shellWord(target)}; mount -o remount,bind,ro "$R"${shellWord(target)} 2>/dev/null || :`;
  const lines = [
    "set -e",
    "R=$(mktemp -d)",
    'mount -t tmpfs -o size=16m,mode=755,nosuid,nodev tmpfs "$R"',
    'mkdir -p "$R/usr" "$R/etc" "$R/proc" "$R/dev" "$R/tmp" "$R/work"',
    bind("/usr", "/usr"),
  ];
  for (const name of ROOTS) {
    const path = `/${name}`;
    if (!existsSync(path)) continue;
    if (lstatSync(path).isSymbolicLink()) lines.push(`ln -s ${shellWord(readlinkSync(path))} "$R"${path}`);
    else lines.push(`mkdir -p "$R"${path}`, bind(path, path));
  }
  for (const name of ETC) {
    const path = `/etc/${name}`;
    if (!existsSync(path)) continue;
    lines.push(lstatSync(path).isDirectory() ? `mkdir -p "$R"${path}` : `: >"$R"${path}`, bind(path, path));
  }
  lines.push(
    'mount -t proc -o nosuid,nodev,noexec proc "$R/proc"',
    'mount -t tmpfs -o size=1m,mode=755,nosuid tmpfs "$R/dev"',
    `for d in ${DEVICES.join(" ")}; do : >"$R/dev/$d"; mount --bind /dev/$d "$R/dev/$d"; done`,
    'ln -s /proc/self/fd "$R/dev/fd"; ln -s fd/0 "$R/dev/stdin"; ln -s fd/1 "$R/dev/stdout"; ln -s fd/2 "$R/dev/stderr"',
  );
  for (const target of ["/tmp", "/work"]) {
    lines.push(`mount -t tmpfs -o size=${bounds.workBytes},mode=1777,nosuid,nodev tmpfs "$R"${target}`);
  }
  for (const { source, target } of program.mounts ?? []) {
    const place = `"$R"${shellWord(target)}`;
    lines.push(
      lstatSync(source).isDirectory()
        ? `mkdir -p ${place}`
        : `mkdir -p "$(dirname ${place})"; [ -e ${place} ] || : >${place}`,
      bind(source, target),
    );
  }
  // The kernel's settings and memory are the host's.
  if (asRoot) lines.push('mount --bind /proc/sys "$R/proc/sys"; mount -o remount,bind,ro "$R/proc/sys"');
  lines.push('mount -o remount,bind,ro "$R"');
  const env = Object.entries(innerEnv(program)).map(([name, value]) => shellWord(`${name}=${value}`));
  const change =
    tools.otherUser && asRoot
      ? "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs"
      : "setpriv --inh-caps=-all --bounding-set=-all --no-new-privs";
  lines.push(
    'cd "$R/work"',
    // The old root is taken away, so that no program can climb out of the new one.
    'mkdir -p "$R/tmp/.old" && pivot_root "$R" "$R/tmp/.old"',
    "cd /work",
    "umount -l /tmp/.old && rmdir /tmp/.old",
    `exec env -i ${env.join(" ")} ${change} /bin/sh -c ${shellWord(bounded(program.script, bounds))}`,
  );
  const flags = ["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"];
  if (!program.network) flags.push("--net");
  if (asRoot) flags.push("--propagation", "private");
  else flags.push("--map-root-user");
  return [tools.program, ...flags, "/bin/sh", "-c", lines.join("\n"), "tiphys-sandbox"];
};
