import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import { compareResourceVersions, isNotFound } from "@tiphys/kube";
import { type KubeObject, keyOf, types } from "@tiphys/resources";
import type { ContainerGroup } from "./cgroups.js";
import { checkContainer } from "./container-check.js";
import { stopSignal, terminationMessage } from "./container-end.js";
import {
  attemptFolder,
  type ContainerProcess,
  findContainer,
  type ProcessEnd,
  startContainer,
} from "./container-process.js";
import { bareExecution, type Execution, prepareExecution } from "./container-setup.js";
import type { PodContext } from "./deps.js";
import { hasDiskLimits, passedDiskLimit } from "./disk-usage.js";
import { ContainerConfigError } from "./env.js";
import type { Attachable } from "./exec/attach.js";
import { type ContainerInput, inputFor, reopenInput } from "./exec/container-input.js";
import type { Entrance } from "./exec/enter.js";
import { terminalLaunch } from "./exec/terminal.js";
import { FORWARDERS, forwardersOf } from "./forwarders.js";
import { ImageError, type RunnableImage } from "./image-manager.js";
import { isLiteral } from "./literal.js";
import { type LogRecorder, logFile, recordLog } from "./log-recorder.js";
import { NOT_HONOURED, notHonoured, plainProblem, unsupported } from "./not-honoured.js";
import { everyContainer, nextBackOff, type PodContainer, PULL_SHOWN_MS, planPod, restarts } from "./plan.js";
import { type ProbeSpec, runProbes } from "./probes.js";
import { processesBelow } from "./process-table.js";
import { type ContainerRecord, isAlive, newContainer, type PodRecord, type Terminated } from "./record.js";
import {
  changedSizes,
  limitsOf,
  NO_LIMITS,
  needsRestart,
  type ResizeState,
  requestsOf,
  resizeProblem,
  resourcesOf,
} from "./resize.js";
import { removeRoot } from "./rootfs.js";
import { launch } from "./sandbox.js";
import { podStatus } from "./status.js";
import { startVolumeRefresh, type VolumeRefresh } from "./volume-refresh.js";
import { prepareVolumes } from "./volumes.js";

/** One container as it runs now. */
interface Live {
  readonly process: ContainerProcess;
  readonly recorder: LogRecorder;
  readonly abort: AbortController;
  readonly execution: Execution;
  readonly input?: ContainerInput;
  readonly image: RunnableImage | undefined;
  group: ContainerGroup | undefined;
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
/** How often a pod with limits on its disk use is measured. */
const DISK_LOOK_MS = 10_000;
const MINIMUM_GRACE_MS = 2000;
/** No end of a container is waited for longer than this, whatever a hook does. */
const HOOK_MS = 3600_000;
const IMAGE_RETRY_MS = 10_000;
const LONGEST_IMAGE_RETRY_MS = 300_000;
const STATUS_RETRY_MS = 1000;
/** How often a change of sizes that cannot be made is tried again. */
const RESIZE_RETRY_MS = 3000;

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
  let refresh: VolumeRefresh | undefined;
  /** Images that are being fetched, by container. */
  const fetching = new Map<string, AbortController>();
  /** Images that are ready for the next start, by container. */
  const fetched = new Map<string, RunnableImage | ImageError>();
  /** Containers whose postStart hook runs: what comes after them waits. */
  const hooked = new Set<string>();
  const volumes = join(dir, "volumes");
  const powers = { kind, users: context.identityTools !== undefined, limits: context.cgroups !== undefined };
  const sandboxProblem = kind === "process" ? plainProblem(first) : undefined;
  let running: Promise<void> | undefined;
  let again = false;
  let cancelTimer: (() => void) | undefined;
  let ending: Promise<void>[] = [];

  const now = () => clock.now().getTime();
  const address = { hostIP, ...(sandboxProblem ? { sandboxProblem } : {}) };
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

  /** A failed pull becomes the waiting for the next one. */
  function showBackOffs(): void {
    for (const container of everyContainer(pod)) {
      const own = record.containers[container.name];
      if (own?.state.phase !== "waiting" || own.state.reason !== "ErrImagePull") continue;
      if (now() < (own.waitingSince ?? 0) + PULL_SHOWN_MS) continue;
      const message = `Back-off pulling image "${container["image"]}"`;
      context.event(pod, "Normal", "BackOff", message);
      context.event(pod, "Warning", "Failed", "Error: ImagePullBackOff");
      own.state = {
        phase: "waiting",
        reason: "ImagePullBackOff",
        message: `${message}: ErrImagePull: ${own.state.message}`,
      };
    }
  }

  let diskLookAt: number | undefined;
  /** Ends a pod that wrote more than it may. */
  async function measureDisk(): Promise<void> {
    if (record.outcome || record.evicted || !hasDiskLimits(pod)) return;
    if (diskLookAt !== undefined && now() < diskLookAt) return;
    diskLookAt = now() + DISK_LOOK_MS;
    const problem = await passedDiskLimit(pod, volumes, (name) => attemptDir(name, of(name).attempt));
    if (problem === undefined) return;
    record.evicted = problem;
    context.event(pod, "Warning", "Evicted", problem);
    await save();
  }

  /** Gives running containers the sizes that the spec has come to ask for, or says why not. */
  async function resizeRunning(): Promise<void> {
    const wanted = everyContainer(pod).flatMap((container) => {
      const own = of(container.name);
      own.resources ??= resourcesOf(container);
      const sizes = isAlive(own) ? changedSizes(resourcesOf(container), own.resources) : [];
      return sizes.length > 0 ? [{ container, own, sizes }] : [];
    });
    if (wanted.length === 0 || record.outcome || pod.metadata.deletionTimestamp) {
      if (record.resize) {
        record.resize = undefined;
        await save();
      }
      return;
    }
    const bounded = wanted.some(
      ({ container, own }) =>
        changedSizes({ limits: resourcesOf(container).limits ?? {} }, { limits: own.resources?.limits ?? {} }).length >
        0,
    );
    const problem =
      bounded && !context.cgroups
        ? { reason: "Infeasible" as const, message: NO_LIMITS }
        : resizeProblem(requestsOf(pod), context.size, context.requestedBesides(record.uid));
    if (problem) return notResized({ type: "PodResizePending", ...problem });
    context.event(pod, "Normal", "ResizeStarted", "Pod resize started");
    for (const { container, own, sizes } of wanted) {
      const { name } = container;
      if (needsRestart(container, sizes)) {
        own.restart = true;
        void end(name, `Container ${name} resize requires restart, will be restarted`);
        continue;
      }
      try {
        await applyLimits(container);
        own.resources = resourcesOf(container);
      } catch (error) {
        return notResized({ type: "PodResizeInProgress", reason: "Error", message: messageOf(error) });
      }
    }
    record.resize = undefined;
    context.event(pod, "Normal", "ResizeCompleted", "Pod resize completed");
    await save();
  }

  async function notResized(state: ResizeState): Promise<void> {
    const same = record.resize?.reason === state.reason && record.resize.message === state.message;
    record.resize = state;
    if (!same) context.event(pod, "Warning", `Resize${state.reason}`, `Pod resize ${state.reason}: ${state.message}`);
    await save();
  }

  async function applyLimits(container: PodContainer): Promise<void> {
    const entry = live.get(container.name);
    const limits = limitsOf(resourcesOf(container));
    if (!entry || !context.cgroups || Object.keys(limits).length === 0) return;
    const name = groupName(container.name, of(container.name).attempt);
    await entry.group?.limit(limits);
    const before = entry.group?.join ?? [];
    const group = entry.group ? context.cgroups.find(name) : await context.cgroups.create(name, limits);
    entry.group = group;
    const joined = group.join.filter((file) => !before.includes(file));
    if (joined.length === 0) return;
    // Neither the shim, which has their end to tell, nor who writes their log; what they fork meanwhile is found at the second look.
    const inner = await entry.process.inner();
    for (let look = 0; look < 2 && inner !== undefined; look++) {
      for (const pid of await processesBelow([inner])) {
        for (const file of joined) await writeFile(file, String(pid)).catch(() => {});
      }
    }
  }

  async function pass(): Promise<void> {
    await measureDisk();
    await resizeRunning();
    for (;;) {
      showBackOffs();
      const plan = planPod(pod, record, now());
      if (plan.outcome && !record.outcome) {
        record.outcome = draining && plan.outcome.phase === "Failed" ? { ...plan.outcome, ...SHUTDOWN } : plan.outcome;
        await save();
      }
      if (draining) return writeStatus();
      for (const { container, reason, changed } of plan.stop) {
        if (changed) of(container).restart = true;
        void end(container, reason, graceOf(container));
      }
      let begun = false;
      for (const name of plan.start) {
        if (hooked.size > 0) break;
        begun = (await begin(name)) || begun;
      }
      const times = [plan.lookAgainAt, diskLookAt, record.resize && now() + RESIZE_RETRY_MS].filter(
        (time) => time !== undefined,
      );
      lookAgain(times.length > 0 ? Math.min(...times) : undefined);
      // What just started may let the next container start.
      if (begun && !again && !stopped) continue;
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

  /** Fetches a container's image beside the passes; true when it is there, or known not to be. */
  function imageOf(container: PodContainer): RunnableImage | ImageError | undefined {
    const { name } = container;
    const ready = fetched.get(name) ?? context.images.hosted(container["image"] ?? "", isLiteral(context, pod));
    if (ready) return ready;
    if (fetching.has(name)) return undefined;
    const abort = new AbortController();
    fetching.set(name, abort);
    const done = (result: RunnableImage | ImageError) => {
      fetching.delete(name);
      if (abort.signal.aborted) return;
      fetched.set(name, result);
      wake();
    };
    const failed = (error: unknown) =>
      done(error instanceof ImageError ? error : new ImageError("ErrImagePull", messageOf(error)));
    void clock.track(context.images.ensure(pod, container, isLiteral(context, pod), abort.signal)).then(done, failed);
    return undefined;
  }

  function imageMissing(own: ContainerRecord, error: ImageError): Promise<void> {
    const backOff = Math.min((own.backOff ?? IMAGE_RETRY_MS / 2) * 2, LONGEST_IMAGE_RETRY_MS);
    const again = own.state.phase === "waiting" && own.state.reason === error.reason;
    wait(own, error.reason, error.message, backOff);
    own.backOff = backOff;
    own.waitingSince = now();
    if (!again) {
      if (error.reason === "InvalidImageName") context.event(pod, "Warning", "InspectFailed", error.message);
      context.event(pod, "Warning", "Failed", `Error: ${error.reason}`);
    }
    return save();
  }

  /** Starts a container, or says why not; false when its image is still on the way. */
  async function begin(name: string): Promise<boolean> {
    const own = of(name);
    const container = everyContainer(pod).find((one) => one.name === name);
    if (!container || isAlive(own)) return true;
    const image = imageOf(container);
    if (image === undefined) return false;
    fetched.delete(name);
    if (image instanceof ImageError) {
      await imageMissing(own, image);
      return true;
    }
    const attempt = own.attempt + 1;
    const folder = attemptDir(name, attempt);
    let execution: Execution;
    let group: ContainerGroup | undefined;
    try {
      const problem = sandboxProblem ?? unsupported(pod, container);
      if (problem) throw new ContainerConfigError(problem);
      await mountVolumes();
      execution = await prepareExecution(context, pod, record, container, image, foldersOf(folder), true);
      await attemptFolder(folder, execution.command.identity, kind === "process" ? undefined : context.fifos);
      group = await limit(container, attempt);
    } catch (error) {
      await notConfigured(own, name, error);
      return true;
    }
    if (own.state.phase === "waiting" && own.restarts === 0 && !own.last) own.backOff = undefined;
    if (own.state.phase === "terminated") own.last = own.state;
    if (own.last) own.restarts++;
    own.attempt = attempt;
    own.imageId = image.imageId;
    own.imageName = image.name;
    own.specImage = container["image"];
    own.retryAt = undefined;
    own.unhealthy = undefined;
    own.restart = undefined;
    own.waitingSince = undefined;
    own.ready = false;
    own.started = false;
    own.resources = resourcesOf(container);
    own.state = { phase: "starting" };
    const { identity } = execution.command;
    if (identity)
      own.user = { uid: identity.uid, gid: identity.gid, supplementalGroups: [identity.gid, ...identity.groups] };
    // Recorded before it happens: a start that we do not live to see is found by its folder.
    await save();
    const missing = execution.missingProgram;
    if (missing) {
      const problem = missing.includes("/")
        ? `stat ${missing}: no such file or directory`
        : "executable file not found in $PATH";
      const message = `failed to create containerd task: failed to create shim task: OCI runtime create failed: unable to start container process: exec: "${missing}": ${problem}`;
      await writeFile(logFile(folder, "stderr"), `exec: "${missing}": ${problem}\n`);
      context.event(pod, "Warning", "Failed", `Error: ${message}`);
      await ended(name, { code: 128 }, { reason: "StartError", message });
      return true;
    }
    try {
      const command = group ? { ...execution.command, groups: group.join } : execution.command;
      const input = await inputFor(spawner, folder, container);
      const line = terminalLaunch(context, folder, container, command, (one) => launch(kind, one, context));
      const process = await startContainer(folder, kind, line, { spawner, clock });
      own.state = { phase: "running", startedAt: now() };
      // As many events as a kubelet writes, where the image is one: a program of the host is to start quickly.
      if (image.files) {
        context.event(pod, "Normal", "Created", "Container created");
        context.event(pod, "Normal", "Started", "Container started");
      }
      attach(name, container, { process, execution, image, group, ...(input ? { input } : {}) }, folder);
      await save();
    } catch (error) {
      await group?.remove();
      await ended(name, { code: 128 }, { reason: "StartError", message: messageOf(error) });
    }
    return true;
  }

  const foldersOf = (attempt: string) => ({ pod: dir, volumes, attempt });

  async function mountVolumes(): Promise<void> {
    if (refresh) return;
    const ends = await prepareVolumes(pod, volumes, context.sources(pod), facts, {
      now: () => clock.now(),
      ...(deps.hostPaths ? { hostPaths: deps.hostPaths } : {}),
    });
    keepFresh(ends);
  }

  function keepFresh(ends: ReadonlyMap<string, number>): void {
    if (stopped) return;
    const { objects, sources } = context;
    refresh = startVolumeRefresh({ pod: () => pod, dir: volumes, sources, facts, objects, clock, log, ends });
  }

  const groupName = (name: string, attempt: number) => `${record.uid}-${name}-${attempt}`;

  async function limit(container: PodContainer, attempt: number): Promise<ContainerGroup | undefined> {
    const limits = limitsOf(resourcesOf(container));
    if (!context.cgroups || Object.keys(limits).length === 0) return undefined;
    return context.cgroups.create(groupName(container.name, attempt), limits);
  }

  async function notConfigured(own: ContainerRecord, name: string, error: unknown): Promise<void> {
    const config = error instanceof ContainerConfigError;
    const message = messageOf(error);
    const mount = config && message.startsWith("MountVolume");
    if (!config) log.warn("container cannot be prepared", { container: name, error: message });
    if (own.state.phase !== "waiting" || own.state.message !== message) {
      context.event(pod, "Warning", mount ? "FailedMount" : "Failed", mount ? message : `Error: ${message}`);
    }
    wait(own, mount ? "ContainerCreating" : "CreateContainerConfigError", message, CONFIG_RETRY_MS);
    await save();
  }

  function attach(
    name: string,
    container: PodContainer,
    { process, execution, image, group, input }: Pick<Live, "process" | "execution" | "image" | "group" | "input">,
    folder: string,
    adopted = false,
  ): void {
    const own = of(name);
    const entry: Live = {
      ...(input ? { input } : {}),
      process,
      recorder: recordLog(folder, clock),
      abort: new AbortController(),
      execution,
      image,
      group,
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
    if (!adopted) void afterStart(name, container, entry);
    runProbes(
      container as ProbeSpec,
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
      { eager: !isLiteral(context, pod) },
    );
  }

  /** Runs the postStart hook; a container whose hook fails is ended. */
  async function afterStart(name: string, container: PodContainer, entry: Live): Promise<void> {
    const hook: ProbeSpec | undefined = container["lifecycle"]?.postStart;
    if (!hook) return;
    hooked.add(name);
    const problem = await runHook(entry, container, hook, HOOK_MS).catch(messageOf);
    hooked.delete(name);
    if (problem !== undefined && live.get(name) === entry && !entry.stopping) {
      log.debug("postStart hook failed", { container: name, error: problem });
      context.event(pod, "Warning", "FailedPostStartHook", "PostStartHook failed");
      void end(name, "FailedPostStartHook");
    }
    wake();
  }

  /** Undefined when the hook has done its work. */
  async function runHook(
    entry: Live,
    container: PodContainer,
    hook: ProbeSpec,
    left: number,
  ): Promise<string | undefined> {
    if (!hook["sleep"]) return checkContainer(context, record, entry, container, hook, left);
    const limit = new AbortController();
    const pause = sleep(clock, Math.min(left, hook["sleep"].seconds * 1000), limit.signal).catch(() => {});
    await Promise.race([pause, entry.process.ended]);
    limit.abort();
    return undefined;
  }

  /** A probe may give less time than the pod. */
  function graceOf(name: string): number | undefined {
    const container = everyContainer(pod).find((one) => one.name === name);
    const { unhealthy } = of(name);
    const probe = unhealthy?.includes("startup") ? "startupProbe" : unhealthy ? "livenessProbe" : undefined;
    return probe === undefined ? undefined : container?.[probe]?.terminationGracePeriodSeconds;
  }

  /** Ends a container: preStop, TERM, and KILL when the grace period is over. Once per process. */
  function end(name: string, reason: string, givenGrace?: number): Promise<void> {
    const entry = live.get(name);
    if (!entry || entry.stopping) return Promise.resolve();
    entry.stopping = true;
    const grace: number =
      pod.metadata.deletionGracePeriodSeconds ?? givenGrace ?? pod["spec"]?.terminationGracePeriodSeconds ?? 30;
    const deadline = now() + grace * 1000;
    const container = everyContainer(pod).find((one) => one.name === name);
    const work = async () => {
      const own = reason.includes("restarted") || reason === "FailedPostStartHook";
      context.event(pod, "Normal", "Killing", own ? reason : `Stopping container ${name}`);
      const preStop = container?.["lifecycle"]?.preStop;
      if (preStop && grace > 0) {
        const problem = await runHook(entry, container!, preStop, deadline - now());
        if (problem !== undefined) context.event(pod, "Warning", "FailedPreStopHook", "PreStopHook failed");
      }
      // Two seconds are left for the signal even when the hook took all, as kubelets do.
      const until = Math.max(deadline, Math.min(now() + MINIMUM_GRACE_MS, now() + grace * 1000));
      await entry.process.signal(stopSignal(container, entry.image?.stopSignal));
      const left = new AbortController();
      await Promise.race([entry.process.ended, sleep(clock, Math.max(0, until - now()), left.signal).catch(() => {})]);
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
    const oomKilled = (await entry?.group?.outOfMemory()) === true;
    // unshare has a code of its own for a child that was killed.
    const killed = end === "unknown" || (kind === "unshare" && end.code === 1 && oomKilled);
    const code = killed ? 137 : end.code;
    const container = everyContainer(pod).find((one) => one.name === name);
    const folder = attemptDir(name, own.attempt);
    const message = given?.message ?? (await terminationMessage(container, folder, code !== 0, clock));
    const outOfMemory = code === 137 && oomKilled;
    await entry?.group?.remove();
    await removeRoot(folder);
    const terminated: Terminated = {
      phase: "terminated",
      exitCode: code,
      ...(code > 128 && code < 160 && !given ? { signal: code - 128 } : {}),
      reason: given?.reason ?? endReason(end, code, outOfMemory),
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
    if (backOff > 0 && container && !pod.metadata.deletionTimestamp && restarts(pod, container, code)) {
      const { name: podName, namespace, uid } = pod.metadata;
      const message = `Back-off restarting failed container ${name} in pod ${podName}_${namespace}(${uid})`;
      context.event(pod, "Warning", "BackOff", message);
    }
    // An end that could not be kept is reported all the same.
    await save().finally(wake);
  }

  async function writeStatus(): Promise<void> {
    if (stopped) return;
    const wanted = podStatus(pod, record, address, now()) as Record<string, unknown>;
    const before = pod["status"] ?? {};
    const status: Record<string, unknown> = {};
    for (const [field, value] of Object.entries(wanted)) {
      if (JSON.stringify(sorted(before[field] ?? null)) !== JSON.stringify(sorted(value))) status[field] = value;
    }
    // An annotation that is not ours goes: it would point the dialer at any port of this host.
    const annotations: Record<string, string | null> = {};
    for (const [name, value] of [
      [FORWARDERS, forwardersOf(record, pod)],
      [NOT_HONOURED, notHonoured(pod, powers).join(",") || undefined],
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

  async function renewVolumes(): Promise<void> {
    const ends = await prepareVolumes(pod, volumes, context.sources(pod), facts, {
      now: () => clock.now(),
      ...(deps.hostPaths ? { hostPaths: deps.hostPaths } : {}),
    }).catch((error) => {
      log.debug("mounted files are not renewed", { error: messageOf(error) });
      return new Map<string, number>();
    });
    keepFresh(ends);
  }

  return {
    record,
    get pod() {
      return pod;
    },
    update(next) {
      const [old, fresh] = [pod.metadata.resourceVersion ?? "0", next.metadata.resourceVersion ?? "0"];
      if (compareResourceVersions(old, fresh) < 0) {
        const shown = (one: KubeObject) => JSON.stringify([one.metadata.labels, one.metadata.annotations]);
        const changed = refresh !== undefined && shown(pod) !== shown(next);
        pod = next;
        if (changed) refresh?.podChanged();
      }
      if (next.metadata.deletionTimestamp) for (const abort of fetching.values()) abort.abort();
      wake();
    },
    wake,
    async adopt() {
      // Tokens that ran out while nobody looked are renewed at once, as all of them are.
      if (Object.values(record.containers).some(isAlive)) await renewVolumes();
      for (const [name, own] of Object.entries(record.containers)) {
        if (!isAlive(own)) continue;
        const folder = attemptDir(name, own.attempt);
        const container = everyContainer(pod).find((one) => one.name === name);
        const found = await findContainer(folder, kind, clock);
        if (found.state === "never started") {
          // The number of the lost claim stays used; the restart count tells of starts that happened.
          own.state = own.last ?? { phase: "waiting", reason: "ContainerCreating" };
          if (own.last) own.restarts = Math.max(0, own.restarts - 1);
        } else if (found.state === "ended") await ended(name, found.end);
        else {
          if (own.state.phase === "starting") own.state = { phase: "running", startedAt: now() };
          log.info("container adopted", { container: name, pid: found.process.pid });
          const image = await context.images
            .find(pod, container?.["image"] ?? "", isLiteral(context, pod))
            .catch(() => undefined);
          // What it was started with may be gone by now; only commands run inside of it later would miss that.
          const execution = await (image
            ? prepareExecution(context, pod, record, container!, image, foldersOf(folder), false)
            : Promise.reject(new ContainerConfigError("its image is gone"))
          ).catch((error) => {
            log.warn("environment of an adopted container is incomplete", { container: name, error: messageOf(error) });
            return bareExecution(context, pod, folder);
          });
          const group = context.cgroups?.find(groupName(name, own.attempt));
          const input = await reopenInput(folder, container!);
          const parts = { process: found.process, execution, image, group, ...(input ? { input } : {}) };
          attach(name, container!, parts, folder, true);
        }
      }
      await save();
    },
    async destroy() {
      stopped = true;
      for (const abort of fetching.values()) abort.abort();
      await refresh?.stop();
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
      for (const abort of fetching.values()) abort.abort();
      await refresh?.stop();
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

function endReason(end: ProcessEnd, code: number, outOfMemory: boolean): string {
  if (end === "unknown") return "ContainerStatusUnknown";
  if (outOfMemory) return "OOMKilled";
  return code === 0 ? "Completed" : "Error";
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
