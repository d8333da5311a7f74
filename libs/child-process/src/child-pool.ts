import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import {
  CanceledError,
  type Code,
  DeadlineExceededError,
  errorOfCode,
  InvalidArgumentError,
  LimitExceededError,
  UnavailableError,
} from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";
import { encodeFrame, frameReader } from "./frames.js";
import { type Answer, encodeAnswer, encodeRefusal, MAX_QUESTION_BYTES } from "./questions.js";

export interface ChildPoolOptions {
  /** The child's program: a file that Node can run as it is, which calls `serveJobs`. */
  readonly entry: { readonly path: string; readonly execArgv?: readonly string[]; readonly args?: readonly string[] };
  /** Children that are kept warm; jobs beyond that number wait in order. */
  readonly size: number;
  /** V8 heap of a child, in MiB. */
  readonly heapMb: number;
  /** Stack of a child, in MiB, as far as the system lets it have that; absent: Node's default of about one. */
  readonly stackMb?: number;
  /** Resident memory at which a child is killed, in MiB; buffers count here and not in the heap. */
  readonly rssMb: number;
  /** Milliseconds for one job. */
  readonly deadlineMs: number;
  /** Largest answer of a job. */
  readonly maxOutputBytes: number;
  /** Jobs after which a child is replaced by a fresh one. */
  readonly recycleAfter?: number;
  /** The child's environment; nothing is inherited; PATH has the usual folders. */
  readonly env?: Readonly<Record<string, string>>;
  readonly log: Logger;
  readonly execPath?: string;
}

export interface ChildPoolStats {
  readonly idle: number;
  readonly busy: number;
  readonly waiting: number;
  readonly jobs: number;
  readonly deaths: number;
  readonly recycled: number;
}

export interface RunOptions {
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  /** Answers what the child asks while it works; absent: every question is refused. */
  readonly answer?: (question: unknown) => Promise<Answer>;
}

/** Warm child processes for hostile or heavy work. What kills a child costs the one job that it had. */
export interface ChildPool<Request, Result> {
  run(request: Request, options?: RunOptions): Promise<Result>;
  stats(): ChildPoolStats;
  stop(): Promise<void>;
}

interface Job {
  readonly id: number;
  readonly request: unknown;
  readonly deadlineMs: number;
  readonly answer: ((question: unknown) => Promise<Answer>) | undefined;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

interface Child {
  readonly process: ChildProcess;
  readonly channel: Socket;
  readonly questions: Socket;
  job?: Job;
  timer?: NodeJS.Timeout;
  done: number;
  /** Milliseconds spent on jobs: about the CPU time that counts against the kernel's limit. */
  busy: number;
  startedAt: number;
  /** Why we killed it; absent when it died by itself. */
  verdict?: Error;
  lastWords: string;
  readonly exited: Promise<void>;
}

/** How often the memory of busy children is read. */
const WATCH_MS = 25;
const KEPT_STDERR = 4096;
/** CPU seconds after which the kernel ends a child, so that an endless loop does not outlive a killed parent for ever. */
const CPU_SECONDS = 900;
const PAGE_BYTES = 4096;
/**
 * Starts the program `$1` under the kernel's limits. V8 believes what it is told about the stack and the process dies where that
 * is not true, so it is told what the system really gives, less what V8 does not count itself.
 */
const LAUNCH = `ulimit -t ${CPU_SECONDS}
if [ "$0" -gt 0 ]; then
  ulimit -S -s "$0" 2>/dev/null
  have=$(ulimit -s)
  case $have in unlimited) have=$0 ;; esac
  [ "$have" -gt "$0" ] && have=$0
  node=$1
  shift
  [ "$have" -gt 4096 ] && set -- --stack-size=$((have - 2048)) "$@"
  set -- "$node" "$@"
fi
exec "$@"`;

/** Resident bytes of a process, or undefined where the system has no /proc. */
async function residentBytes(pid: number): Promise<number | undefined> {
  try {
    return Number((await readFile(`/proc/${pid}/statm`, "utf8")).split(" ")[1]) * PAGE_BYTES;
  } catch {
    return undefined;
  }
}

export function createChildPool<Request, Result>(options: ChildPoolOptions): ChildPool<Request, Result> {
  const { entry, size, heapMb, rssMb, maxOutputBytes, log } = options;
  const recycleAfter = options.recycleAfter ?? 500;
  if (size < 1) throw new InvalidArgumentError("size", "a pool needs at least one child");
  const children = new Set<Child>();
  const waiting: Job[] = [];
  const counts = { jobs: 0, deaths: 0, recycled: 0 };
  let stopped = false;
  let nextId = 1;
  let watch: NodeJS.Timeout | undefined;

  function start(): Child {
    const node = options.execPath ?? process.execPath;
    const args = [`--max-old-space-size=${heapMb}`, ...(entry.execArgv ?? []), entry.path, ...(entry.args ?? [])];
    const child = spawn("/bin/sh", ["-c", LAUNCH, String((options.stackMb ?? 0) * 1024), node, ...args], {
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
      env: { PATH: "/usr/local/bin:/usr/bin:/bin", ...options.env },
    });
    const started: Child = {
      process: child,
      channel: child.stdio[3] as Socket,
      // Its two ends differ: the child's blocks.
      questions: child.stdio[4] as Socket,
      done: 0,
      busy: 0,
      startedAt: 0,
      lastWords: "",
      exited: new Promise((resolve) => {
        child.once("close", resolve);
        child.once("error", () => resolve());
      }),
    };
    const hear = (text: Buffer) => {
      started.lastWords = (started.lastWords + String(text)).slice(-KEPT_STDERR);
    };
    child.stderr?.on("data", hear);
    child.stdout?.on("data", hear);
    started.channel.on(
      "data",
      frameReader(
        maxOutputBytes,
        (frame) => finish(started, frame as Reply),
        (bytes) =>
          kill(
            started,
            new LimitExceededError(`the job's answer of ${bytes} bytes is larger than the limit of ${maxOutputBytes}`),
          ),
      ),
    );
    started.channel.on("error", () => {});
    started.questions.on(
      "data",
      frameReader(
        MAX_QUESTION_BYTES,
        (question) => void answer(started, question),
        () => kill(started, new LimitExceededError("the job asked a question that is too large")),
      ),
    );
    started.questions.on("error", () => {});
    child.once("error", (error) => gone(started, error.message));
    child.once("close", (code, signal) => gone(started, signal ?? `exit code ${code}`));
    // Idle children must not keep their owner alive; busy ones are held by the job's timer.
    child.unref();
    for (const stream of [child.stdout, child.stderr, started.channel, started.questions])
      (stream as Socket | null)?.unref?.();
    children.add(started);
    return started;
  }

  async function answer(child: Child, question: unknown): Promise<void> {
    const { job } = child;
    if (!job) return;
    let bytes: Buffer;
    try {
      if (!job.answer) throw new InvalidArgumentError("", "the job asks, and nobody answers");
      bytes = encodeAnswer(await job.answer(question));
    } catch (error) {
      bytes = encodeRefusal(error);
    }
    // The child waits for it, unless it is gone.
    if (child.job === job) child.questions.write(bytes);
  }

  interface Reply {
    id: number;
    result?: unknown;
    error?: { code: Code; message: string; field?: string };
  }

  function finish(child: Child, reply: Reply): void {
    const { job } = child;
    if (!job || job.id !== reply.id) return;
    release(child);
    child.done++;
    child.busy += performance.now() - child.startedAt;
    if (reply.error) {
      const { code, message, field } = reply.error;
      job.reject(field === undefined ? errorOfCode(code, message) : withField(code, message, field));
    } else job.resolve(reply.result);
    if (child.done >= recycleAfter || child.busy > (CPU_SECONDS / 4) * 1000) {
      counts.recycled++;
      retire(child);
    }
    feed();
  }

  function release(child: Child): void {
    clearTimeout(child.timer);
    child.job = undefined;
    child.timer = undefined;
  }

  function retire(child: Child): void {
    children.delete(child);
    child.process.kill("SIGKILL");
  }

  function kill(child: Child, verdict: Error): void {
    child.verdict ??= verdict;
    child.process.kill("SIGKILL");
  }

  function gone(child: Child, how: string): void {
    if (!children.delete(child)) return;
    counts.deaths++;
    const { job } = child;
    release(child);
    if (job) {
      const words = child.lastWords.trim();
      const heap = /heap out of memory|Allocation failed/i.test(words);
      const last = words.split("\n").filter(Boolean).at(-1)?.slice(0, 300);
      job.reject(
        child.verdict ??
          (heap
            ? new LimitExceededError(`the job needed more than its ${heapMb} MiB of heap and was ended`)
            : new UnavailableError(`the job's process died (${how})${last ? `: ${last}` : ""}`)),
      );
      log.warn("child died with its job", { entry: entry.path, how, reason: child.verdict?.message });
    } else if (!stopped) log.warn("idle child died", { entry: entry.path, how });
    // A child that dies idle is replaced by the next job, not at once: an entry that cannot start must not spin.
    if (!stopped && job) fill();
    feed();
  }

  function fill(): void {
    while (!stopped && children.size < size) start();
  }

  function feed(): void {
    if (waiting.length > 0) fill();
    for (const child of children) {
      if (waiting.length === 0) break;
      if (!child.job && !child.verdict) give(child, waiting.shift()!);
    }
    if (!watch && [...children].some((child) => child.job)) watch = setTimeout(look, WATCH_MS);
  }

  function give(child: Child, job: Job): void {
    child.job = job;
    child.lastWords = "";
    // Real time: a job is ended by the time that its process really took.
    child.startedAt = performance.now();
    child.timer = setTimeout(
      () => kill(child, new DeadlineExceededError(`the job did not end within ${job.deadlineMs} ms and was ended`)),
      job.deadlineMs,
    );
    child.channel.write(encodeFrame({ id: job.id, request: job.request }));
  }

  async function look(): Promise<void> {
    const busy = [...children].filter((child) => child.job);
    for (const child of busy) {
      const bytes = child.process.pid === undefined ? undefined : await residentBytes(child.process.pid);
      if (bytes !== undefined && bytes > rssMb * 1024 * 1024) {
        kill(child, new LimitExceededError(`the job needed more than its ${rssMb} MiB of memory and was ended`));
      }
    }
    watch = undefined;
    if ([...children].some((child) => child.job)) watch = setTimeout(look, WATCH_MS);
  }

  fill();

  return {
    run(request, { deadlineMs = options.deadlineMs, signal, answer } = {}) {
      if (stopped) return Promise.reject(new UnavailableError("the pool is stopped: no job can be run any more"));
      return new Promise<Result>((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const end = () => signal?.removeEventListener("abort", onAbort);
        const job: Job = {
          id: nextId++,
          request,
          deadlineMs,
          answer,
          resolve: (value) => {
            end();
            resolve(value as Result);
          },
          reject: (error) => {
            end();
            reject(error);
          },
        };
        const onAbort = () => {
          const at = waiting.indexOf(job);
          if (at >= 0) waiting.splice(at, 1);
          for (const child of children) {
            if (child.job === job) kill(child, new CanceledError("the job was cancelled"));
          }
          end();
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", onAbort, { once: true });
        counts.jobs++;
        waiting.push(job);
        feed();
      });
    },
    stats() {
      const busy = [...children].filter((child) => child.job).length;
      return { idle: children.size - busy, busy, waiting: waiting.length, ...counts };
    },
    async stop() {
      stopped = true;
      clearTimeout(watch);
      for (const job of waiting.splice(0)) job.reject(new CanceledError("the pool was stopped before the job began"));
      const all = [...children];
      for (const child of all) kill(child, new CanceledError("the pool was stopped"));
      await Promise.all(all.map((child) => child.exited));
    },
  };
}

const withField = (code: Code, message: string, field: string): Error =>
  code === "InvalidArgument"
    ? // The child's message names the field already.
      Object.assign(new InvalidArgumentError("", message), { field })
    : errorOfCode(code, message);
