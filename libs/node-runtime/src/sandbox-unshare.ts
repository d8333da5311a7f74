import { findProgram } from "@tiphys/sandbox";
import { overlayOptions } from "./rootfs.js";
import type { Command, ViewStep } from "./sandbox.js";

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const DEVICES = ["null", "zero", "full", "random", "urandom", "tty"];

/**
 * The same view as bubblewrap's, made by util-linux: `unshare` gives the namespaces, a script of mounts the files. Slower
 * (each mount is a process) and less tight: the root is changed, the old one is not taken away. `detached`: the container
 * leaves the session of the terminal that it writes to, which is not its own.
 */
export function unshared(command: Command, view: readonly ViewStep[], path: string, detached: boolean): string[] {
  const asRoot = process.getuid?.() === 0;
  const { root } = command;
  const merged = root?.merged ?? `${command.scratch}/root`;
  const lines = [
    "set -e",
    // The container's own PATH leads nowhere here.
    "own=$PATH",
    `PATH=${quoted(path)}`,
    // The host's /proc is still there: it knows us by the host's number.
    "read -r pid rest </proc/self/stat",
    'echo "{\\"child-pid\\": $pid}" >&3',
    "exec 3>&-",
    `R=${quoted(merged)}`,
    'mkdir -p "$R"',
    `hostname ${quoted(command.hostname)} 2>/dev/null || :`,
  ];
  if (root?.overlay) {
    lines.push(
      `mount -t overlay overlay -o ${quoted(overlayOptions(root.lower, root.overlay.upper, root.overlay.work))} "$R"`,
    );
  } else if (root) lines.push('mount --bind "$R" "$R"');
  else lines.push('mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$R"');
  for (const step of view) lines.push(...stepLines(step));
  const cwd = command.workingDir ?? "/";
  lines.push(`mkdir -p "$R"${quoted(cwd)} 2>/dev/null || :`);
  if (command.readOnlyRoot) lines.push('mount -o remount,bind,ro "$R"');
  if (command.terminal) lines.push(`t=$(tty) && : >"$R/dev/console" && mount --bind "$t" "$R/dev/console" || :`);
  lines.push("program=$(command -v unshare)", detached ? "leader=$(command -v setsid)" : "leader=", "PATH=$own");
  lines.push(`exec $leader "$program" --root="$R" --wd=${quoted(cwd)} -- "$@"`);
  const flags = ["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"];
  if (asRoot) flags.push("--propagation", "private");
  else flags.push("--map-root-user");
  return [
    findProgram("unshare", path) ?? "unshare",
    ...flags,
    "/bin/sh",
    "-c",
    lines.join("\n"),
    "tiphys-container",
    ...command.argv,
  ];
}

function stepLines(step: ViewStep): string[] {
  const target = `"$R"${quoted(step.target)}`;
  switch (step.do) {
    case "bind": {
      const source = quoted(step.source);
      const place = `if [ -d ${source} ]; then mkdir -p ${target}; else mkdir -p "$(dirname ${target})"; [ -e ${target} ] || : >${target}; fi`;
      // A mount that a user namespace may not make read-only is still that user's own.
      const bind = step.readOnly
        ? `mount --bind ${source} ${target}; mount -o remount,bind,ro ${target} 2>/dev/null || :`
        : `mount --bind ${source} ${target}`;
      return step.optional ? [`if [ -e ${source} ]; then ${place}; { ${bind}; } || :; fi`] : [place, bind];
    }
    case "symlink":
      return [`ln -s ${quoted(step.source)} ${target}`];
    case "dir":
      return [`mkdir -p ${target}`];
    case "tmpfs":
      return [`mkdir -p ${target}`, `mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs ${target}`];
    case "proc":
      return [`mkdir -p ${target}`, `mount -t proc -o nosuid,nodev,noexec proc ${target}`];
    case "dev":
      return [
        `mkdir -p ${target}`,
        `mount -t tmpfs -o mode=755,nosuid tmpfs ${target}`,
        `for d in ${DEVICES.join(" ")}; do : >${target}/$d; mount --bind /dev/$d ${target}/$d; done`,
        `ln -s /proc/self/fd ${target}/fd; ln -s fd/0 ${target}/stdin; ln -s fd/1 ${target}/stdout; ln -s fd/2 ${target}/stderr`,
        `mkdir -m 1777 ${target}/shm`,
        `mkdir ${target}/pts; ln -s pts/ptmx ${target}/ptmx`,
        `mount -t devpts -o newinstance,ptmxmode=0666,mode=620,nosuid,noexec devpts ${target}/pts || :`,
      ];
  }
}
