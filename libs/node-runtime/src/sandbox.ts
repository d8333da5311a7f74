import { existsSync, lstatSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { ETC, findProgram, ROOTS } from "@tiphys/sandbox";
import type { Identity } from "./identity.js";
import { LOADER, splitEnv, TOOLS, withEnv, withIdentity, withTerminal } from "./identity-tools.js";
import { overlayOptions, type RootFolder } from "./rootfs.js";
import { unshared } from "./sandbox-unshare.js";
import type { Mount } from "./volumes.js";

export type SandboxKind = "bubblewrap" | "unshare" | "process";

export interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  readonly mounts: readonly Mount[];
  readonly hostname: string;
  /** A folder of this container on the host: its working folder where no sandbox gives it a root of its own. */
  readonly scratch: string;
  /** Host file of the container's termination message and where the container sees it. */
  readonly terminationLog: { readonly source: string; readonly target: string };
  /** The image's own files; without it the container sees the host's programs. */
  readonly root?: RootFolder;
  readonly readOnlyRoot?: boolean;
  /** Absent: this process's own user with all it may do. */
  readonly identity?: Identity;
  /** The command is process 1, which gets no signal that it does not handle, as on a kubelet. */
  readonly first?: boolean;
  /** Its standard input is a terminal from outside of the sandbox, which is to be its own. */
  readonly terminal?: boolean;
  /** Files of control groups that the container joins. */
  readonly groups?: readonly string[];
}

export interface Launch {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export interface LaunchTools {
  readonly bwrap: string;
  readonly node: string;
  /** Where programs of the host are. */
  readonly path: string;
  /** Folder with the programs that change a process's user inside of any image; absent where that cannot be. */
  readonly identityTools?: string;
}

/** One thing that a sandbox does to the container's view of files, in order. */
export type ViewStep =
  | {
      readonly do: "bind";
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly optional?: boolean;
    }
  | { readonly do: "symlink"; readonly source: string; readonly target: string }
  | { readonly do: "proc" | "dev" | "tmpfs" | "dir"; readonly target: string };

/** Containers are shown what system they are on, too. */
const SHOWN_ETC = [...ETC, "os-release"];

const MASKED = ["/proc/kcore", "/proc/keys", "/proc/sysrq-trigger", "/proc/timer_list"];

/** Writes the pid of what runs to fd 3 as bubblewrap does, so that all kinds are signalled alike. */
const PLAIN = 'echo "{\\"child-pid\\": $$}" >&3; exec 3>&-; exec "$@"';
/** Joins control groups, then goes on. What cannot be joined does not keep a container from running. */
const JOIN = 'while [ "$1" != -- ]; do echo $$ > "$1"; shift; done 2>/dev/null; shift; exec "$@"';

/** The folder of an installation to show for the program at `path`: `/opt/node/bin/node` → `/opt/node`. */
const installOf = (path: string): string => dirname(dirname(path));

/** The command line that runs `command` on this host. */
export function launch(kind: SandboxKind, command: Command, tools: LaunchTools): Launch {
  if (kind === "process") return plain(command);
  const { early, late } = splitEnv(command.env);
  const { identity, root } = command;
  const view = viewOf(command, tools);
  const terminal = takesTerminal(command, tools);
  if (kind === "unshare") {
    const own = withIdentity(identity, withEnv(late, command.argv, tools.identityTools), tools.identityTools, true);
    const argv = terminal ? withTerminal(own) : own;
    const detached = command.terminal === true && !terminal;
    const line = unshared({ ...command, argv }, view, tools.path, detached);
    return { argv: joining(command, line), env: early, cwd: "/" };
  }
  // What makes it another user is still root: the container's variables come after it.
  const changes = identity && (terminal || changesUser(identity)) ? tools.identityTools : undefined;
  const own = withIdentity(identity, withEnv(late, command.argv, changes), tools.identityTools, terminal);
  const inner = terminal ? withTerminal(own) : own;
  let argv = sandboxed({ ...command, argv: inner }, view, changes ? {} : late, tools);
  // Its root is mounted where only it sees it: the mount ends with its namespace.
  if (root?.overlay) {
    const options = overlayOptions(root.lower, root.overlay.upper, root.overlay.work);
    const program = (name: string) => findProgram(name, tools.path) ?? name;
    const script = `${program("mount")} -t overlay overlay -o "$1" "$2" && shift 2 && exec "$@"`;
    const shell = ["/bin/sh", "-c", script, "tiphys-root", options, root.merged];
    argv = [program("unshare"), "-m", "--propagation", "private", ...shell, ...argv];
  }
  return { argv: joining(command, argv), env: early, cwd: "/" };
}

/** True when we may take a terminal over from the session outside; else the container has none to control its jobs with. */
const takesTerminal = ({ terminal, identity }: Command, { identityTools }: LaunchTools): boolean =>
  terminal === true && identity !== undefined && identityTools !== undefined;

const joining = ({ groups = [] }: Command, argv: readonly string[]): readonly string[] =>
  groups.length === 0 ? argv : ["/bin/sh", "-c", JOIN, "tiphys-join", ...groups, "--", ...argv];

const hostViews = new Map<string, readonly ViewStep[]>();

/** The host's programs; looked for once, as every pod of a program of the host sees them. */
function hostView(node: string): readonly ViewStep[] {
  const known = hostViews.get(node);
  if (known) return known;
  const steps: ViewStep[] = [{ do: "bind", source: "/usr", target: "/usr", readOnly: true }];
  for (const name of ROOTS) {
    const path = `/${name}`;
    if (!existsSync(path)) continue;
    if (lstatSync(path).isSymbolicLink()) steps.push({ do: "symlink", source: readlinkSync(path), target: path });
    else steps.push({ do: "bind", source: path, target: path, readOnly: true });
  }
  const install = installOf(node);
  if (!install.startsWith("/usr") && install !== "/") {
    steps.push({ do: "bind", source: install, target: install, readOnly: true });
  }
  hostViews.set(node, steps);
  return steps;
}

let masked: readonly string[] | undefined;
const maskedHere = (): readonly string[] => {
  masked ??= MASKED.filter(existsSync);
  return masked;
};

/** What the container sees, besides its root. */
export function viewOf(command: Command, { node, identityTools }: LaunchTools): readonly ViewStep[] {
  const steps: ViewStep[] = [];
  if (!command.root) steps.push(...hostView(node));
  steps.push({ do: "proc", target: "/proc" }, { do: "dev", target: "/dev" });
  if (process.getuid?.() === 0) {
    // Root may write the kernel's settings and read its memory there: they are the host's.
    steps.push({ do: "bind", source: "/proc/sys", target: "/proc/sys", readOnly: true });
    for (const file of maskedHere()) steps.push({ do: "bind", source: "/dev/null", target: file, readOnly: true });
  }
  if (identityTools && command.identity && existsSync(join(identityTools, LOADER))) {
    steps.push({ do: "bind", source: identityTools, target: TOOLS, readOnly: true });
  }
  if (command.root) steps.push({ do: "bind", source: "/sys", target: "/sys", readOnly: true, optional: true });
  else {
    steps.push(
      { do: "tmpfs", target: "/tmp" },
      { do: "dir", target: "/etc" },
      { do: "dir", target: "/root" },
      { do: "dir", target: "/var/tmp" },
    );
    for (const name of SHOWN_ETC) {
      const path = `/etc/${name}`;
      steps.push({ do: "bind", source: path, target: path, readOnly: true, optional: true });
    }
  }
  for (const { source, target, readOnly } of command.mounts) steps.push({ do: "bind", source, target, readOnly });
  const { source, target } = command.terminationLog;
  steps.push({ do: "bind", source, target, readOnly: false });
  return steps;
}

function sandboxed(
  command: Command,
  view: readonly ViewStep[],
  late: Readonly<Record<string, string>>,
  tools: LaunchTools,
): string[] {
  const { bwrap } = tools;
  const terminal = takesTerminal(command, tools);
  const args = ["--die-with-parent", "--unshare-pid", "--unshare-uts", "--unshare-ipc", "--hostname", command.hostname];
  args.push("--info-fd", "3");
  for (const [name, value] of Object.entries(late)) args.push("--setenv", name, value);
  if (command.first) args.push("--as-pid-1");
  // A terminal of another session: shells say that they have no job control, and go on.
  if (command.terminal && !terminal) args.push("--new-session");
  const { identity, root } = command;
  const asRoot = process.getuid?.() === 0;
  if (identity && asRoot) {
    args.push("--cap-drop", "ALL");
    // Those that become another user need to; with that they lose these too.
    const needed = new Set([
      ...identity.capabilities,
      ...(terminal || changesUser(identity) ? ["SETUID", "SETGID", "SETPCAP"] : []),
      ...(terminal ? ["SYS_ADMIN"] : []),
    ]);
    for (const capability of [...needed].sort()) args.push("--cap-add", `CAP_${capability}`);
  } else if (identity && (identity.uid !== 0 || identity.gid !== 0)) {
    args.push("--unshare-user", "--uid", String(identity.uid), "--gid", String(identity.gid));
  }
  if (root) args.push("--bind", root.merged, "/");
  const made = new Set<string>();
  for (const step of view) {
    if (step.do === "bind") {
      // It makes folders above a mount for root alone; a container of another user has to pass through them.
      for (const folder of foldersAbove(step.target)) {
        if (!made.has(folder)) args.push("--dir", folder);
        made.add(folder);
      }
      const option = `--${step.readOnly ? "ro-" : ""}bind${step.optional ? "-try" : ""}`;
      args.push(option, step.source, step.target);
    } else if (step.do === "symlink") args.push("--symlink", step.source, step.target);
    else {
      args.push(`--${step.do}`, step.target);
      made.add(step.target);
    }
  }
  const cwd = command.workingDir ?? "/";
  if (cwd !== "/") args.push("--dir", cwd);
  if (command.readOnlyRoot) args.push("--remount-ro", "/");
  args.push("--chdir", cwd, "--", ...command.argv);
  return [bwrap, ...args];
}

/** `/a/b/c` → `/a`, `/a/b`. */
const foldersAbove = (path: string): string[] => {
  const parts = path.split("/").filter(Boolean).slice(0, -1);
  return parts.map((_part, i) => `/${parts.slice(0, i + 1).join("/")}`);
};

/** True when a process of root has to become somebody else. */
export const changesUser = ({ uid, gid, groups }: Identity): boolean => uid !== 0 || gid !== 0 || groups.length > 0;

/**
 * Without a sandbox there are no mounts: only the termination message and /tmp are rewritten, to files of the container's
 * own. Pods with volumes are refused before they come here.
 */
function plain(command: Command): Launch {
  const tmp = join(command.scratch, "tmp");
  const sources = new Map<string, string>([["/tmp", tmp]]);
  sources.set(command.terminationLog.target, command.terminationLog.source);
  const targets = [...sources.keys()].sort((a, b) => b.length - a.length);
  const escaped = targets.map((target) => target.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  // One pass: what was rewritten may look like another mount.
  const paths = new RegExp(`(^|[\\s"'=:,(<>])(${escaped.join("|")})(?=$|[/\\s"':,;)])`, "g");
  const here = (text: string): string =>
    text.replace(paths, (_whole, lead: string, target: string) => lead + sources.get(target));
  return {
    argv: ["/bin/sh", "-c", PLAIN, "tiphys-container", ...command.argv.map(here)],
    env: {
      TMPDIR: tmp,
      ...Object.fromEntries(Object.entries(command.env).map(([name, value]) => [name, here(value)])),
    },
    // The folder that the container names belongs to an image: the host's of that name is another one.
    cwd: command.scratch,
  };
}

/** PATH inside a container: the usual folders, then Node's own. */
export const containerPath = (node: string): string =>
  [...new Set(["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", dirname(node)])].join(
    ":",
  );
