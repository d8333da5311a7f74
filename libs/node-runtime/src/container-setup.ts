import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type KubeObject, types } from "@tiphys/resources";
import { findProgram } from "@tiphys/sandbox";
import type { PodContext } from "./deps.js";
import { ContainerConfigError, containerEnv, expand } from "./env.js";
import { type Identity, identityOf } from "./identity.js";
import type { RunnableImage } from "./image-manager.js";
import { isLiteral } from "./literal.js";
import { hostnameOf, wantsOwnNames, writePodFiles } from "./pod-files.js";
import type { ProbeSpec } from "./probes.js";
import type { PodRecord } from "./record.js";
import { hasProgramInside, prepareRoot, type RootFolder, readInside, resolveInside } from "./rootfs.js";
import type { Command } from "./sandbox.js";
import { serviceEnv } from "./service-env.js";
import { containerMounts, type Mount } from "./volumes.js";

/** A container that is ready to run. */
export interface Execution {
  readonly command: Command;
  /** The program that the container names, when neither the host, the image nor a mount has it. */
  readonly missingProgram?: string;
}

export interface Folders {
  /** The pod's. */
  readonly pod: string;
  readonly volumes: string;
  /** This attempt's. */
  readonly attempt: string;
}

/** `PORT` for the first container port, `PORT_<NAME>` for named ones. */
export function portEnv(container: ProbeSpec, record: PodRecord): Record<string, string> {
  const env: Record<string, string> = {};
  for (const port of container["ports"] ?? []) {
    const host = record.ports[`${container["name"]}/${port.containerPort}`];
    if (host === undefined) continue;
    env["PORT"] ??= String(host);
    if (port.name) env[`PORT_${String(port.name).toUpperCase().replaceAll("-", "_")}`] = String(host);
  }
  return env;
}

/** Works out how a container runs. `fresh` prepares its root for a start; else what an earlier start has made is taken. */
export async function prepareExecution(
  context: PodContext,
  pod: KubeObject,
  record: PodRecord,
  container: ProbeSpec & { name: string },
  image: RunnableImage,
  folders: Folders,
  fresh: boolean,
): Promise<Execution> {
  const { deps, hostIP, kind } = context;
  const { entry, files } = image;
  const literal = isLiteral(context, pod);
  const identity = await identityFor(context, pod, container, image);
  const hostname = hostnameOf(pod).short;
  const base: Record<string, string> = {
    ...(files ? entry.env : {}),
    ...serviceEnv(pod, await servicesOf(context)),
    ...(files ? {} : { PATH: context.path }),
    HOSTNAME: hostname,
    ...(deps.apiServer
      ? { KUBERNETES_SERVICE_HOST: deps.apiServer.host, KUBERNETES_SERVICE_PORT: String(deps.apiServer.port) }
      : {}),
    ...(literal ? {} : { ...deps.podEnv?.(pod), ...portEnv(container, record) }),
    ...(files ? {} : entry.env),
  };
  const facts = { podIP: record.ip, hostIP };
  const sources = context.sources(pod);
  const env = await containerEnv(pod, container, base, sources, facts);
  env["HOME"] ??= identity.home;
  const own = await containerMounts(container, pod, folders.volumes, sources.imageRoot, env);
  const given: Mount[] = (entry.mounts ?? []).map((mount) => ({ ...mount, readOnly: true }));
  const names =
    files || literal || wantsOwnNames(pod) ? await writePodFiles(pod, folders.pod, podAddress(context, record)) : [];
  const mounted = [...names.filter(({ target }) => !own.some((mount) => mount.target === target)), ...given, ...own];
  const log = {
    source: join(folders.attempt, "termination"),
    target: String(container["terminationMessagePath"] || "/dev/termination-log"),
  };
  let root: RootFolder | undefined;
  if (files) {
    root = fresh
      ? await prepareRoot(files, folders.attempt, await context.overlay(), deps.spawner)
      : { lower: files, merged: join(folders.attempt, "rootfs", "merged") };
  }
  const placed = async (target: string) => (files ? resolveInside(files, target) : target);
  const mounts = await Promise.all(mounted.map(async (mount) => ({ ...mount, target: await placed(mount.target) })));
  mounts.sort((a, b) => a.target.length - b.target.length);

  const expanded = (list: readonly string[] | undefined) => list?.map((text) => expand(text, env));
  // What the image says is taken as it is; only the pod's own words know variables.
  const entrypoint = expanded(container["command"]) ?? entry.entrypoint ?? [];
  const args = expanded(container["args"]) ?? (container["command"] ? [] : (entry.cmd ?? []));
  const argv: string[] = [...entrypoint, ...args];
  const [program = ""] = argv;
  if (program === "") throw new ContainerConfigError("no command specified");
  const workingDir = container["workingDir"] || entry.workingDir;
  const path = env["PATH"] ?? "";
  const there =
    isMounted(program, path, mounts) ||
    (files ? await hasProgramInside(files, program, path) : isOnHost(program, path));
  return {
    command: {
      argv,
      env,
      ...(workingDir ? { workingDir: await placed(workingDir) } : {}),
      mounts,
      hostname,
      scratch: join(folders.attempt, "scratch"),
      terminationLog: { source: log.source, target: await placed(log.target) },
      ...(root ? { root } : {}),
      ...(container["securityContext"]?.readOnlyRootFilesystem === true && kind !== "process"
        ? { readOnlyRoot: true }
        : {}),
      ...(kind === "process" ? {} : { identity }),
      ...(literal || files ? { first: true } : {}),
    },
    ...(there ? {} : { missingProgram: program }),
  };
}

/** Where a pod's own name leads: its processes listen on the host's loopback. */
const podAddress = (_context: PodContext, _record: PodRecord): string => "127.0.0.1";

async function servicesOf({ deps }: PodContext): Promise<readonly KubeObject[]> {
  const informer = deps.informers.informer(types.services);
  await informer.synced;
  return informer.list();
}

async function identityFor(
  context: PodContext,
  pod: KubeObject,
  container: ProbeSpec & { name: string },
  { files, user }: RunnableImage,
): Promise<Identity> {
  const accounts = files
    ? { passwd: await readInside(files, "/etc/passwd"), group: await readInside(files, "/etc/group") }
    : await context.accounts();
  const { namespace, name, uid } = pod.metadata;
  const where = { pod: `${name}_${namespace}(${uid})` };
  return identityOf(pod["spec"]?.securityContext, container, user, accounts, where);
}

/** The host's own users and groups, for programs of the host. */
export const hostAccounts = async () => ({
  passwd: await readFile("/etc/passwd", "utf8").catch(() => ""),
  group: await readFile("/etc/group", "utf8").catch(() => ""),
});

function isMounted(program: string, path: string, mounts: readonly Mount[]): boolean {
  const there = (file: string): boolean => {
    const mount = mounts.findLast(({ target }) => file === target || file.startsWith(`${target.replace(/\/$/, "")}/`));
    return mount !== undefined && existsSync(mount.source + file.slice(mount.target.replace(/\/$/, "").length));
  };
  if (program.startsWith("/")) return there(program);
  return path.split(":").some((folder) => folder !== "" && there(join(folder, program)));
}

function isOnHost(program: string, path: string): boolean {
  if (!program.includes("/")) return findProgram(program, path) !== undefined;
  // A relative path depends on the working folder: the kernel will tell.
  return !program.startsWith("/") || existsSync(program);
}

/** For a container that runs already, when its configuration cannot be read any more. */
export function bareExecution(context: PodContext, pod: KubeObject, folder: string): Execution {
  return {
    command: {
      argv: [],
      env: { PATH: context.path },
      mounts: [],
      hostname: pod.metadata.name,
      scratch: join(folder, "scratch"),
      terminationLog: { source: join(folder, "termination"), target: "/dev/termination-log" },
    },
  };
}
