import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import { compareResourceVersions, isNotFound } from "@tiphys/kube";
import { type KubeObject, keyOf, types } from "@tiphys/resources";
import { checkContainer } from "./container-check.js";
import {
  attemptFolder,
  type ContainerProcess,
  findContainer,
  type ProcessEnd,
  startContainer,
} from "./container-process.js";
import { bareExecution, type Execution, prepareExecution } from "./container-setup.js";
import type { PodContext } from "./deps.js";
import { ContainerConfigError } from "./env.js";
import type { Attachable } from "./exec/attach.js";
import { type ContainerInput, inputFor, reopenInput } from "./exec/container-input.js";
import type { Entrance } from "./exec/enter.js";
import { terminalLaunch } from "./exec/terminal.js";
import { FORWARDERS, forwardersOf } from "./forwarders.js";
import { resolveImage } from "./images.js";
import { type LogRecorder, recordLog } from "./log-store.js";
import { NOT_HONOURED, notHonoured, unsupported } from "./not-honoured.js";
import { allContainers, nextBackOff, planPod } from "./plan.js";
import { type ProbeSpec, runProbes } from "./probes.js";
import { type ContainerRecord, isAlive, newContainer, type PodRecord, type Terminated } from "./record.js";
import { findProgram, launch } from "./sandbox.js";
import { podStatus } from "./status.js";
import { prepareVolumes } from "./volumes.js";

/** One container as it runs now. */
interface Live {
  readonly process: ContainerProcess;
  readonly recorder: LogRecorder;
  readonly abort: AbortController;
  readonly execution: Execution;
  readonly input?: ContainerInput;
  /** Resolves once its end is recorded. */
  handled: Promise<void>;
  stopping?: boolean;
}

/** Runs one pod: a pass at a time, each from what is recorded and what the API says. */
export interface PodWorker {
  readonly record: PodRecord;
  readonly pod: KubeObject;
  /** The pod object has changed. */
  update(pod: KubeObject): void;
  /** Takes up containers that an earlier process of ours has started. */
  adopt(): Promise<void>;
  wake(): void;
  /** Ends everything now, and forgets the pod. */
  destroy(): Promise<void>;
  /** Stops working on it; `kill` ends its containers gracefully first. */
  stop(kill: boolean): Promise<void>;
  recorderOf(container: string): LogRecorder | undefined;
  /** A running container, for commands inside of it. */
  entrance(container: string): Entrance | undefined;
  /** A running container, for those who attach to it. */
  attachable(container: string): Attachable | undefined;
  attemptDir(container: string, attempt: number): string;
}

const CONFIG_RETRY_MS = 1000;
const IMAGE_RETRY_MS = 10_000;
const LONGEST_IMAGE_RETRY_MS = 300_000;
const STATUS_RETRY_MS = 1000;
const TERMINATION_MESSAGE_BYTES = 4096;

const SHUTDOWN = { reason: "Terminated", message: "Pod was terminated because its node was stopped" };

export function createPodWorker(context: PodContext, first: KubeObject, record: PodRecord): PodWorker {
  const { deps, client, kind, hostIP } = context;
  const { clock, spawner } = deps;
  const dir = join(deps.dir, "pods", record.uid);
  const log = deps.log.with({ pod: `${record.namespace}/${record.name}` });
  const live = new Map<string, Live>();
  let pod = first;
  let stopped = false;
  let draining = false;
  let forgotten = false;
  let volumesReady = false;
  let running: Promise<void> | undefined;
  let again = false;
  let cancelTimer: (() => void) | undefined;
  let ending: Promise<void>[] = [];

  const now = () => clock.now().getTime();
  const facts = { podIP: record.ip, hostIP };
  const attemptDir = (container: string, attempt: number) => join(dir, "containers", container, String(attempt));
  const of = (name: string): ContainerRecord => {
    record.containers[name] ??= newContainer();
    return record.containers[name];
  };

  let saving: Promise<void> = Promise.resolve();
  /** One write at a time; none once the pod is forgotten, or its folder would come back. */
  function save(): Promise<void> {
    const write = async () => {
      if (forgotten) return;
      const file = join(dir, "state.json");
      await mkdir(dir, { recursive: true });
      await writeFile(`${file}.tmp`, JSON.stringify(record), { mode: 0o600 });
      await rename(`${file}.tmp`, file);
    };
    const next = saving.then(write);
    saving = next.catch(() => {});
    return next;
  }

  function wake(): void {
    if (stopped) return;
    if (running) {
      again = true;
      return;
    }
    running = clock
      .track(pass())
      .catch((error) => {
        log.warn("pod pass failed", { error: messageOf(error) });
        lookAgain(now() + STATUS_RETRY_MS);
      })
      .then(() => {
        running = undefined;
        if (again) {
          again = false;
          wake();
        }
      });
  }

  function lookAgain(at: number | undefined): void {
    cancelTimer?.();
    cancelTimer = at === undefined || stopped ? undefined : clock.at(new Date(at), wake);
  }

  async function pass(): Promise<void> {
    for (;;) {
      const plan = planPod(pod, record, now());
      if (plan.outcome && !record.outcome) {
        record.outcome = draining && plan.outcome.phase === "Failed" ? { ...plan.outcome, ...SHUTDOWN } : plan.outcome;
        await save();
      }
      if (draining) return writeStatus();
      for (const { container, reason } of plan.stop) void end(container, reason);
      for (const name of plan.start) await begin(name);
      lookAgain(plan.lookAgainAt);
      // What just started may let the next container start.
      if (plan.start.length > 0 && !again && !stopped) continue;
      await writeStatus();
      if (plan.remove) await remove();
      return;
    }
  }

  async function remove(): Promise<void> {
    await client
      .delete(types.pods, keyOf(pod), { gracePeriodSeconds: 0, preconditions: { uid: record.uid } })
      .catch((error) => {
        if (!isNotFound(error)) throw error;
      });
  }

  function wait(own: ContainerRecord, reason: string, message: string, after: number): void {
    own.retryAt = now() + after;
    const { state } = own;
    if (state.phase === "terminated") own.last = state;
    own.state = { phase: "waiting", reason, message };
  }

  async function begin(name: string): Promise<void> {
    const own = of(name);
    const container = allContainers(pod).find((one) => one.name === name);
    if (!container || isAlive(own)) return;
    const image = resolveImage(
      container["image"] ?? "",
      context.images,
      (program) => findProgram(program, context.path) !== undefined,
    );
    if (!image.runnable) {
      const backOff = Math.min((own.backOff ?? IMAGE_RETRY_MS / 2) * 2, LONGEST_IMAGE_RETRY_MS);
      const repeated = own.state.phase === "waiting" && own.state.reason !== "ContainerCreating";
      if (!repeated)
        context.event(pod, "Warning", "Failed", `Failed to pull image "${container["image"]}": ${image.message}`);
      const reason = image.reason === "ErrImagePull" && repeated ? "ImagePullBackOff" : image.reason;
      wait(
        own,
        reason,
        repeated ? `Back-off pulling image "${container["image"]}": ${image.message}` : image.message,
        backOff,
      );
      own.backOff = backOff;
      return save();
    }
    const attempt = own.attempt + 1;
    const folder = attemptDir(name, attempt);
    let execution: Execution;
    try {
      const problem = unsupported(pod);
      if (problem) throw new ContainerConfigError(problem);
      if (!volumesReady) {
        await prepareVolumes(pod, join(dir, "volumes"), context.sources(pod), facts);
        volumesReady = true;
      }
      execution = await prepareExecution(context, pod, record, container, image.entry, {
        volumes: join(dir, "volumes"),
        folder,
      });
    } catch (error) {
      const config = error instanceof ContainerConfigError;
      const mount = config && error.message.startsWith("MountVolume");
      if (!config) log.warn("container cannot be prepared", { container: name, error: messageOf(error) });
      if (own.state.phase !== "waiting" || own.state.message !== messageOf(error)) {
        context.event(pod, "Warning", mount ? "FailedMount" : "Failed", messageOf(error));
      }
      wait(own, mount ? "ContainerCreating" : "CreateContainerConfigError", messageOf(error), CONFIG_RETRY_MS);
      return save();
    }
    if (own.state.phase === "waiting" && own.restarts === 0 && !own.last) own.backOff = undefined;
    if (own.state.phase === "terminated") own.last = own.state;
    if (own.last) own.restarts++;
    own.attempt = attempt;
    own.imageId = `tiphys://host/${image.entry.pattern}`;
    own.retryAt = undefined;
    own.unhealthy = undefined;
    own.ready = false;
    own.started = false;
    own.state = { phase: "starting" };
    await attemptFolder(folder);
    // Recorded before it happens: a start that we do not live to see is found by its folder.
    await save();
    const missing = execution.missingProgram;
    if (missing) {
      const message = `exec: "${missing}": no such program in the container`;
      await writeFile(join(folder, "log"), `${message}\n`);
      await ended(name, { code: 128 }, { reason: "StartError", message });
      return;
    }
    try {
      const input = await inputFor(spawner, folder, container);
      const command = terminalLaunch(context, folder, container, execution.command, (one) =>
        launch(kind, one, context),
      );
      const process = await startContainer(folder, kind, command, { spawner, clock });
      own.state = { phase: "running", startedAt: now() };
      attach(name, container, execution, process, folder, input);
      await save();
    } catch (error) {
      await ended(name, { code: 128 }, { reason: "StartError", message: messageOf(error) });
    }
  }

  function attach(
    name: string,
    container: ProbeSpec,
    execution: Execution,
    process: ContainerProcess,
    folder: string,
    input: ContainerInput | undefined,
  ): void {
    const own = of(name);
    const entry: Live = {
      ...(input ? { input } : {}),
      process,
      recorder: recordLog(folder, clock),
      abort: new AbortController(),
      execution,
      handled: Promise.resolve(),
    };
    live.set(name, entry);
    entry.handled = process.ended
      .then((end) => ended(name, end))
      .catch((error) => log.error("container end is not recorded", { error: messageOf(error) }));
    const change = (apply: () => void) => {
      if (live.get(name) !== entry) return;
      apply();
      wake();
    };
    runProbes(
      container,
      {
        check: (probe, timeoutMs) => checkContainer(context, record, entry, container, probe, timeoutMs),
        started: () =>
          change(() => {
            own.started = true;
          }),
        ready: (ready) => {
          if (own.ready !== ready)
            change(() => {
              own.ready = ready;
            });
        },
        unhealthy: (reason) =>
          change(() => {
            own.unhealthy = reason;
          }),
        failed: (probe, message) => {
          if (own.ready || probe !== "Readiness")
            context.event(pod, "Warning", "Unhealthy", `${probe} probe failed: ${message}`);
        },
      },
      clock,
      entry.abort.signal,
    );
  }

  /** Ends a container: preStop, TERM, and KILL when the grace period is over. Once per process. */
  function end(name: string, reason: string): Promise<void> {
    const entry = live.get(name);
    if (!entry || entry.stopping) return Promise.resolve();
    entry.stopping = true;
    const grace: number = pod.metadata.deletionGracePeriodSeconds ?? pod["spec"]?.terminationGracePeriodSeconds ?? 30;
    const deadline = now() + grace * 1000;
    const container = allContainers(pod).find((one) => one.name === name);
    const work = async () => {
      context.event(pod, "Normal", "Killing", `Stopping container ${name}: ${reason}`);
      const preStop = container?.["lifecycle"]?.preStop;
      if (preStop && grace > 0) await runPreStop(entry, container!, preStop, deadline - now());
      await entry.process.signal("SIGTERM");
      const left = new AbortController();
      await Promise.race([
        entry.process.ended,
        sleep(clock, Math.max(0, deadline - now()), left.signal).catch(() => {}),
      ]);
      left.abort();
      await entry.process.destroy();
    };
    const done = work().catch((error) =>
      log.warn("container cannot be stopped", { container: name, error: messageOf(error) }),
    );
    ending.push(done);
    void done.then(() => {
      ending = ending.filter((one) => one !== done);
    });
    return done;
  }

  async function runPreStop(entry: Live, container: ProbeSpec, hook: ProbeSpec, left: number): Promise<void> {
    const limit = new AbortController();
    if (hook["sleep"]) {
      const pause = sleep(clock, Math.min(left, hook["sleep"].seconds * 1000), limit.signal).catch(() => {});
      await Promise.race([pause, entry.process.ended]);
      limit.abort();
      return;
    }
    const problem = await checkContainer(context, record, entry, container, hook, left);
    if (problem) context.event(pod, "Warning", "FailedPreStopHook", problem);
  }

  async function ended(name: string, end: ProcessEnd, given?: { reason: string; message: string }): Promise<void> {
    const own = of(name);
    const entry = live.get(name);
    live.delete(name);
    entry?.abort.abort();
    await entry?.input?.close();
    await entry?.recorder.close();
    // Who stopped has handed the record over: with two writers, one of the writes would fail or be lost.
    if (stopped) return;
    const startedAt = own.state.phase === "running" ? own.state.startedAt : undefined;
    const message = given?.message ?? (await terminationMessage(name, own.attempt));
    const code = end === "unknown" ? 137 : end.code;
    const terminated: Terminated = {
      phase: "terminated",
      exitCode: code,
      ...(code > 128 && code < 160 && !given ? { signal: code - 128 } : {}),
      reason: given?.reason ?? (end === "unknown" ? "ContainerStatusUnknown" : code === 0 ? "Completed" : "Error"),
      ...(message
        ? { message }
        : end === "unknown"
          ? { message: "the container's process was gone, without an exit code, when this node came back" }
          : {}),
      ...(startedAt === undefined ? {} : { startedAt }),
      finishedAt: end === "unknown" ? now() : Math.round(end.at ?? now()),
      attempt: own.attempt,
    };
    own.state = terminated;
    own.ready = false;
    own.started = false;
    own.unhealthy = undefined;
    const backOff = nextBackOff(own);
    own.backOff = backOff;
    own.retryAt = terminated.finishedAt + backOff;
    // An end that could not be kept is reported all the same.
    await save().finally(wake);
  }

  async function terminationMessage(name: string, attempt: number): Promise<string | undefined> {
    const text = await readFile(join(attemptDir(name, attempt), "termination"), "utf8").catch(() => "");
    if (text !== "") return text.slice(0, TERMINATION_MESSAGE_BYTES);
    const container = allContainers(pod).find((one) => one.name === name);
    const own = of(name);
    if (container?.["terminationMessagePolicy"] !== "FallbackToLogsOnError" || own.state.phase !== "running")
      return undefined;
    return (await readFile(join(attemptDir(name, attempt), "log"), "utf8").catch(() => "")).slice(-2048) || undefined;
  }

  async function writeStatus(): Promise<void> {
    if (stopped) return;
    const wanted = podStatus(pod, record, { hostIP }, now()) as Record<string, unknown>;
    const before = pod["status"] ?? {};
    const status: Record<string, unknown> = {};
    for (const [field, value] of Object.entries(wanted)) {
      if (JSON.stringify(sorted(before[field] ?? null)) !== JSON.stringify(sorted(value))) status[field] = value;
    }
    // An annotation that is not ours goes: it would point the dialer at any port of this host.
    const annotations: Record<string, string | null> = {};
    for (const [name, value] of [
      [FORWARDERS, forwardersOf(record, pod)],
      [NOT_HONOURED, notHonoured(pod).join(",") || undefined],
    ] as const) {
      if (pod.metadata.annotations?.[name] !== value) annotations[name] = value ?? null;
    }
    if (Object.keys(status).length === 0) return;
    const metadata = { uid: record.uid, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) };
    try {
      pod = await client.patch(
        types.pods,
        keyOf(pod),
        { type: "merge", body: { metadata, status } },
        { subresource: "status" },
      );
    } catch (error) {
      if (isNotFound(error)) return;
      throw error;
    }
  }

  return {
    record,
    get pod() {
      return pod;
    },
    update(next) {
      const [old, fresh] = [pod.metadata.resourceVersion ?? "0", next.metadata.resourceVersion ?? "0"];
      if (compareResourceVersions(old, fresh) < 0) pod = next;
      wake();
    },
    wake,
    async adopt() {
      volumesReady = true;
      for (const [name, own] of Object.entries(record.containers)) {
        if (!isAlive(own)) continue;
        const folder = attemptDir(name, own.attempt);
        const container = allContainers(pod).find((one) => one.name === name);
        const found = await findContainer(folder, kind, clock);
        if (found.state === "never started") {
          // The number of the lost claim stays used; the restart count tells of starts that happened.
          own.state = own.last ?? { phase: "waiting", reason: "ContainerCreating" };
          if (own.last) own.restarts = Math.max(0, own.restarts - 1);
        } else if (found.state === "ended") await ended(name, found.end);
        else {
          if (own.state.phase === "starting") own.state = { phase: "running", startedAt: now() };
          log.info("container adopted", { container: name, pid: found.process.pid });
          const image = resolveImage(container?.["image"] ?? "", context.images, () => true);
          const entry = image.runnable ? image.entry : { pattern: "" };
          const folders = { volumes: join(dir, "volumes"), folder };
          // What it was started with may be gone by now; only commands run inside of it later would miss that.
          const execution = await prepareExecution(context, pod, record, container!, entry, folders).catch((error) => {
            log.warn("environment of an adopted container is incomplete", { container: name, error: messageOf(error) });
            return bareExecution(context, pod, folder);
          });
          attach(name, container!, execution, found.process, folder, await reopenInput(folder, container!));
        }
      }
      await save();
    },
    async destroy() {
      stopped = true;
      cancelTimer?.();
      const all = [...live.values()];
      for (const entry of all) entry.abort.abort();
      await Promise.all(all.map((entry) => entry.process.destroy()));
      await Promise.all(all.map((entry) => entry.handled));
      while (running) await running;
      forgotten = true;
      await saving;
    },
    async stop(kill) {
      cancelTimer?.();
      if (kill) {
        draining = true;
        const all = [...live.entries()];
        await Promise.all(all.map(([name]) => end(name, "this node is shutting down")));
        await Promise.all(ending);
        // The ends are recorded and reported by passes of their own.
        await Promise.all(all.map(([, entry]) => entry.handled));
        while (running) await running;
      }
      stopped = true;
      for (const entry of live.values()) {
        entry.abort.abort();
        await entry.recorder.close();
      }
      await running;
    },
    recorderOf: (container) => live.get(container)?.recorder,
    entrance: (container) => live.get(container),
    attachable(container) {
      const entry = live.get(container);
      if (!entry) return undefined;
      const { recorder, input } = entry;
      return {
        folder: attemptDir(container, of(container).attempt),
        recorder,
        entrance: entry,
        ...(input ? { input } : {}),
      };
    },
    attemptDir,
  };
}

/** Key order does not matter for equality. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== null && field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, field]) => [key, sorted(field)]),
  );
}
