import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";

/** What a container may use. */
export interface ResourceLimits {
  /** Bytes. */
  readonly memory?: number;
  /** Processors, as a fraction. */
  readonly cpu?: number;
}

/** The kernel's groups that limit one container. */
export interface ContainerGroup {
  /** Files that a process writes its id into to join. */
  readonly join: readonly string[];
  /** True when the kernel has killed something in it for want of memory. */
  outOfMemory(): Promise<boolean>;
  /** Changes the limits of what runs in it; throws when it uses more memory than it would have. */
  limit(limits: ResourceLimits): Promise<void>;
  remove(): Promise<void>;
}

export interface Cgroups {
  create(name: string, limits: ResourceLimits): Promise<ContainerGroup>;
  /** The group of a container that an earlier process of ours has started. */
  find(name: string): ContainerGroup;
  /** Removes the node's own groups, as far as nothing runs in them. */
  close(): Promise<void>;
}

const PERIOD_US = 100_000;
const ROOT = "/sys/fs/cgroup";

/** Control groups of this machine, version 1 or 2; undefined where we may not make any. */
export async function openCgroups(node: string, log: Logger): Promise<Cgroups | undefined> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  try {
    return existsSync(join(ROOT, "cgroup.controllers")) ? await unified(node) : await separate(node);
  } catch (error) {
    log.debug("resource limits are not enforced", { error: messageOf(error) });
    return undefined;
  }
}

/** Version 2: one tree for all controllers. */
async function unified(node: string): Promise<Cgroups> {
  const enable = async (folder: string) =>
    // A group that has processes of its own, as in a container, cannot hand controllers on.
    writeFile(join(folder, "cgroup.subtree_control"), "+memory +cpu");
  await enable(ROOT);
  const base = join(ROOT, "tiphys");
  await mkdir(join(base, node), { recursive: true });
  await enable(base);
  await enable(join(base, node));
  await sweep(join(base, node));
  const at = (name: string) => join(base, node, name);
  const group = (folder: string): ContainerGroup => ({
    join: [join(folder, "cgroup.procs")],
    outOfMemory: async () => counted(await text(join(folder, "memory.events"))),
    async limit({ memory, cpu }) {
      if (memory !== undefined) {
        refuseBelow(memory, Number(await text(join(folder, "memory.current"))));
        await writeFile(join(folder, "memory.max"), String(memory));
      }
      if (cpu !== undefined) await writeFile(join(folder, "cpu.max"), `${quota(cpu)} ${PERIOD_US}`);
    },
    remove: () => removeGroup(folder),
  });
  return {
    async create(name, { memory, cpu }) {
      await mkdir(at(name), { recursive: true });
      if (memory !== undefined) {
        await writeFile(join(at(name), "memory.max"), String(memory));
        await writeFile(join(at(name), "memory.swap.max"), "0").catch(() => {});
      }
      if (cpu !== undefined) await writeFile(join(at(name), "cpu.max"), `${quota(cpu)} ${PERIOD_US}`);
      return group(at(name));
    },
    find: (name) => group(at(name)),
    close: () => removeGroup(join(base, node)),
  };
}

/** Version 1: a tree per controller. */
async function separate(node: string): Promise<Cgroups> {
  const controllers = ["memory", "cpu"].filter((name) => existsSync(join(ROOT, name, "cgroup.procs")));
  if (!controllers.includes("memory")) throw new Error("there is no memory controller");
  for (const name of controllers) {
    await mkdir(join(ROOT, name, "tiphys", node), { recursive: true });
    await sweep(join(ROOT, name, "tiphys", node));
  }
  const at = (controller: string, name: string) => join(ROOT, controller, "tiphys", node, name);
  const group = (name: string): ContainerGroup => ({
    join: controllers.map((controller) => join(at(controller, name), "cgroup.procs")).filter(existsSync),
    outOfMemory: async () => counted(await text(join(at("memory", name), "memory.oom_control"))),
    async limit({ memory, cpu }) {
      if (memory !== undefined) {
        await mkdir(at("memory", name), { recursive: true });
        refuseBelow(memory, Number(await text(join(at("memory", name), "memory.usage_in_bytes"))));
        // The limit with swap may never be below the one without: which goes first depends on the direction.
        const set = (file: string) => writeFile(join(at("memory", name), file), String(memory));
        await set("memory.memsw.limit_in_bytes").catch(() => {});
        await set("memory.limit_in_bytes");
        await set("memory.memsw.limit_in_bytes").catch(() => {});
      }
      if (cpu !== undefined && controllers.includes("cpu")) {
        await mkdir(at("cpu", name), { recursive: true });
        await writeFile(join(at("cpu", name), "cpu.cfs_period_us"), String(PERIOD_US));
        await writeFile(join(at("cpu", name), "cpu.cfs_quota_us"), String(quota(cpu)));
      }
    },
    async remove() {
      for (const controller of controllers) await removeGroup(at(controller, name));
    },
  });
  return {
    async create(name, { memory, cpu }) {
      if (memory !== undefined) {
        await mkdir(at("memory", name), { recursive: true });
        await writeFile(join(at("memory", name), "memory.limit_in_bytes"), String(memory));
        await writeFile(join(at("memory", name), "memory.memsw.limit_in_bytes"), String(memory)).catch(() => {});
      }
      if (cpu !== undefined && controllers.includes("cpu")) {
        await mkdir(at("cpu", name), { recursive: true });
        await writeFile(join(at("cpu", name), "cpu.cfs_period_us"), String(PERIOD_US));
        await writeFile(join(at("cpu", name), "cpu.cfs_quota_us"), String(quota(cpu)));
      }
      return group(name);
    },
    find: group,
    async close() {
      for (const controller of controllers) await removeGroup(join(ROOT, controller, "tiphys", node));
    },
  };
}

function refuseBelow(memory: number, usage: number): void {
  if (usage > memory) throw new Error(`attempting to set pod memory limit (${memory}) below current usage (${usage})`);
}

const quota = (cpu: number): number => Math.max(1000, Math.round(cpu * PERIOD_US));
const text = (file: string): Promise<string> => readFile(file, "utf8").catch(() => "");
const counted = (events: string): boolean => Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0) > 0;

/** Groups of containers that ended while nobody looked; those that still run cannot be removed. */
async function sweep(folder: string): Promise<void> {
  for (const inner of await readdir(folder, { withFileTypes: true })) {
    if (inner.isDirectory()) await removeGroup(join(folder, inner.name));
  }
}

async function removeGroup(folder: string): Promise<void> {
  for (const inner of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (inner.isDirectory()) await removeGroup(join(folder, inner.name));
  }
  // A group with processes stays; they are being killed by whoever ends the container.
  await rmdir(folder).catch(() => {});
}
