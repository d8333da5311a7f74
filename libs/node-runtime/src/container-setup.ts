import { existsSync } from "node:fs";
import { join } from "node:path";
import type { KubeObject } from "@tiphys/resources";
import type { PodContext } from "./deps.js";
import { containerEnv, expand } from "./env.js";
import type { ImageEntry } from "./images.js";
import type { ProbeSpec } from "./probes.js";
import type { PodRecord } from "./record.js";
import { type Command, findProgram } from "./sandbox.js";
import { containerMounts, type Mount } from "./volumes.js";

/** A container that is ready to run. */
export interface Execution {
  readonly command: Command;
  /** The program that the container names, when neither the host nor a mount has it. */
  readonly missingProgram?: string;
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

export async function prepareExecution(
  context: PodContext,
  pod: KubeObject,
  record: PodRecord,
  container: ProbeSpec,
  image: ImageEntry,
  folders: { volumes: string; folder: string },
): Promise<Execution> {
  const { deps, hostIP } = context;
  const hostname = String(pod["spec"]?.hostname ?? pod.metadata.name).slice(0, 63);
  const base: Record<string, string> = {
    PATH: context.path,
    HOSTNAME: hostname,
    HOME: "/root",
    ...(deps.apiServer
      ? { KUBERNETES_SERVICE_HOST: deps.apiServer.host, KUBERNETES_SERVICE_PORT: String(deps.apiServer.port) }
      : {}),
    ...deps.podEnv?.(pod),
    ...portEnv(container, record),
    ...image.env,
  };
  const facts = { podIP: record.ip, hostIP };
  const env = await containerEnv(pod, container, base, context.sources(pod), facts);
  const mounts = await mountsOf(context, pod, container, image, folders.volumes);
  const entrypoint = container["command"] ?? image.entrypoint ?? [];
  const args = container["args"] ?? (container["command"] ? [] : (image.cmd ?? []));
  const argv = [...entrypoint, ...args].map((text: string) => expand(text, env));
  const program = argv[0] ?? "";
  const workingDir = container["workingDir"] ?? image.workingDir;
  return {
    command: {
      argv,
      env,
      ...(workingDir ? { workingDir } : {}),
      mounts,
      hostname,
      scratch: join(folders.folder, "scratch"),
      terminationLog: {
        source: join(folders.folder, "termination"),
        target: container["terminationMessagePath"] ?? "/dev/termination-log",
      },
    },
    ...(isThere(program, env["PATH"] ?? "", mounts) ? {} : { missingProgram: program || "(no command)" }),
  };
}

async function mountsOf(
  context: PodContext,
  pod: KubeObject,
  container: ProbeSpec,
  image: ImageEntry,
  volumes: string,
): Promise<Mount[]> {
  const own = await containerMounts(
    container as ProbeSpec & { name: string },
    pod,
    volumes,
    context.sources(pod).imageRoot,
  );
  const given = (image.mounts ?? []).map((mount) => ({ ...mount, readOnly: true }));
  return [...given, ...own].sort((a, b) => a.target.length - b.target.length);
}

/** What of the host a sandbox shows; everything else it sees are its mounts. */
const VISIBLE = /^\/(usr|bin|sbin|lib|lib32|lib64|libx32|proc|dev)\//;

function isThere(program: string, path: string, mounts: readonly Mount[]): boolean {
  if (program === "") return false;
  const onHost = (file: string): string | undefined => {
    const mount = mounts.findLast(({ target }) => file === target || file.startsWith(`${target.replace(/\/$/, "")}/`));
    if (mount) return mount.source + file.slice(mount.target.replace(/\/$/, "").length);
    return VISIBLE.test(file) || existsSync(file) ? file : undefined;
  };
  if (!program.includes("/")) {
    return (
      findProgram(program, path) !== undefined ||
      path.split(":").some((folder) => existsSync(onHost(join(folder, program)) ?? ""))
    );
  }
  // A relative path depends on the working folder: the kernel will tell.
  if (!program.startsWith("/")) return true;
  const file = onHost(program);
  return file !== undefined && existsSync(file);
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
