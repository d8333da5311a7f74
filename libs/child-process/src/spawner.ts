import { type ChildProcess, spawn as fork } from "node:child_process";
import { Readable, Writable } from "node:stream";
import { InvalidArgumentError, UnavailableError } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";
import { helperSource } from "./helper-source.js";

export type Output = "ignore" | "pipe" | { readonly file: string };

export interface SpawnRequest {
  readonly command: string;
  readonly args?: readonly string[];
  /** The whole environment of the process; nothing is inherited. Absent: PATH with the usual folders. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: "ignore" | "pipe";
  readonly stdout?: Output;
  readonly stderr?: Output | "stdout";
  /** True: the process lives on when we or the helper die. False: its whole group is killed then. */
  readonly survives?: boolean;
  /** Kills the group (SIGKILL) when it fires. */
  readonly signal?: AbortSignal;
  readonly uid?: number;
  readonly gid?: number;
}

export interface Exit {
  /** Absent when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
}

export interface SpawnedProcess {
  readonly pid: number;
  /** Rejects with Unavailable when the helper died first, so that the end is not known. */
  readonly exit: Promise<Exit>;
  readonly stdin?: Writable;
  readonly stdout?: Readable;
  readonly stderr?: Readable;
  kill(signal?: NodeJS.Signals, scope?: "process" | "group"): void;
}

/** Starts processes through one tiny helper process; a helper that died is replaced at the next spawn. */
export interface Spawner {
  spawn(request: SpawnRequest): Promise<SpawnedProcess>;
  /** Kills every process that does not survive, and the helper. */
  stop(): Promise<void>;
}

export interface SpawnerDeps {
  readonly log: Logger;
  /** The Node program; `process.execPath` by default. */
  readonly execPath?: string;
}

type FromHelper =
  | { t: "spawned"; id: number; pid: number }
  | { t: "failed"; id: number; message: string; code?: string }
  | { t: "data"; id: number; fd: 1 | 2; data: Uint8Array }
  | { t: "eof"; id: number; fd: 1 | 2 }
  | { t: "written"; id: number }
  | { t: "exit"; id: number; code: number | null; signal: string | null };

interface Running {
  readonly request: SpawnRequest;
  readonly streams: { 1?: Readable; 2?: Readable };
  stdin?: Writable;
  written: (() => void)[];
  spawned(pid: number): void;
  failed(error: Error): void;
  exited(exit: Exit): void;
  lost(error: Error): void;
}

/** The helper itself needs little; a small heap keeps it so. */
const HELPER_FLAGS = ["--max-old-space-size=64", "--no-warnings"];

export function createSpawner({ log, execPath = process.execPath }: SpawnerDeps): Spawner {
  let helper: ChildProcess | undefined;
  let stopped = false;
  let nextId = 1;
  const running = new Map<number, Running>();

  // An idle helper must not keep its owner alive, a busy one must.
  const hold = () => {
    const channel = helper?.channel;
    if (running.size > 0) channel?.ref();
    else channel?.unref();
  };

  function onMessage(message: FromHelper): void {
    const entry = running.get(message.id);
    if (!entry) return;
    if (message.t === "spawned") entry.spawned(message.pid);
    else if (message.t === "failed") {
      running.delete(message.id);
      entry.failed(new UnavailableError(`cannot start ${entry.request.command}: ${message.message}`));
    } else if (message.t === "data") {
      const stream = entry.streams[message.fd];
      if (stream && !stream.push(Buffer.from(message.data))) {
        helper?.send({ t: "flow", id: message.id, fd: message.fd, on: false });
      }
    } else if (message.t === "eof") {
      entry.streams[message.fd]?.push(null);
      entry.streams[message.fd] = undefined;
    } else if (message.t === "written") entry.written.shift()?.();
    else {
      entry.exited({ code: message.code, signal: message.signal });
      for (const done of entry.written.splice(0)) done();
    }
    if (message.t === "exit" || message.t === "eof") forget(message.id, entry);
    hold();
  }

  const ended = new Set<number>();
  /** An entry stays until the process has exited and both of its streams have ended. */
  function forget(id: number, entry: Running): void {
    if (entry.streams[1] || entry.streams[2] || !ended.has(id)) return;
    running.delete(id);
    ended.delete(id);
  }

  function ensureHelper(): ChildProcess {
    if (stopped) throw new UnavailableError("the spawner is stopped: no process can be started any more");
    if (helper) return helper;
    const started = fork(execPath, [...HELPER_FLAGS, "-e", helperSource], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "advanced",
      // Its own group: a terminal's Ctrl-C is for us, not for it.
      detached: true,
      env: {},
    });
    started.stderr?.on("data", (text: Buffer) =>
      log.warn("spawner helper wrote", { text: String(text).slice(0, 2000) }),
    );
    (started.stderr as unknown as { unref?(): void })?.unref?.();
    const gone = (why: string) => {
      if (helper !== started) return;
      helper = undefined;
      const error = new UnavailableError(`the spawner's helper process ended (${why}); what it ran is lost`);
      for (const [id, entry] of running) {
        running.delete(id);
        entry.lost(error);
      }
      ended.clear();
      if (!stopped) log.warn("spawner helper ended", { why });
    };
    started.on("exit", (code, signal) => gone(signal ?? `exit code ${code}`));
    started.on("error", (error) => gone(error.message));
    started.on("message", (message) => onMessage(message as FromHelper));
    started.unref();
    helper = started;
    return started;
  }

  return {
    spawn(request) {
      if (request.command === "") throw new InvalidArgumentError("command", "is empty: name the program to run");
      request.signal?.throwIfAborted();
      const owner = ensureHelper();
      const id = nextId++;
      const send = (message: object) => {
        if (owner.connected) owner.send(message, () => {});
      };
      const readable = (fd: 1 | 2) => new Readable({ read: () => send({ t: "flow", id, fd, on: true }) });
      const entry: Running = {
        request,
        streams: {
          ...(request.stdout === "pipe" ? { 1: readable(1) } : {}),
          ...(request.stderr === "pipe" ? { 2: readable(2) } : {}),
        },
        written: [],
        spawned() {},
        failed() {},
        exited() {},
        lost() {},
      };
      const { 1: stdout, 2: stderr } = entry.streams;
      if (request.stdin === "pipe") {
        entry.stdin = new Writable({
          write(data, _encoding, done) {
            if (ended.has(id) || !running.has(id)) return done();
            entry.written.push(done);
            send({ t: "write", id, data });
          },
          final(done) {
            send({ t: "end", id });
            done();
          },
        });
      }
      running.set(id, entry);
      hold();
      const kill: SpawnedProcess["kill"] = (signal = "SIGTERM", scope = "process") =>
        send({ t: "kill", id, signal, scope });
      const onAbort = () => kill("SIGKILL", "group");
      const result = new Promise<SpawnedProcess>((resolve, reject) => {
        const exit = new Promise<Exit>((exited, lost) => {
          entry.exited = (how) => {
            ended.add(id);
            request.signal?.removeEventListener("abort", onAbort);
            exited(how);
          };
          entry.lost = (error) => {
            request.signal?.removeEventListener("abort", onAbort);
            for (const stream of [stdout, stderr]) stream?.destroy(error);
            entry.stdin?.destroy();
            reject(error);
            lost(error);
          };
        });
        exit.catch(() => {});
        for (const stream of [stdout, stderr]) stream?.on("error", () => {});
        entry.failed = (error) => {
          request.signal?.removeEventListener("abort", onAbort);
          reject(error);
        };
        entry.spawned = (pid) => {
          if (request.signal?.aborted) onAbort();
          resolve({
            pid,
            exit,
            kill,
            ...(entry.stdin ? { stdin: entry.stdin } : {}),
            ...(stdout ? { stdout } : {}),
            ...(stderr ? { stderr } : {}),
          });
        };
      });
      request.signal?.addEventListener("abort", onAbort, { once: true });
      send({
        t: "spawn",
        id,
        command: request.command,
        args: request.args ?? [],
        env: request.env ?? { PATH: "/usr/local/bin:/usr/bin:/bin" },
        cwd: request.cwd,
        stdin: request.stdin ?? "ignore",
        stdout: request.stdout ?? "ignore",
        stderr: request.stderr ?? "ignore",
        survives: request.survives ?? false,
        uid: request.uid,
        gid: request.gid,
      });
      return result;
    },
    async stop() {
      stopped = true;
      const old = helper;
      if (!old) return;
      const exited = new Promise<void>((resolve) => old.once("exit", () => resolve()));
      old.ref();
      if (old.connected) old.disconnect();
      await exited;
    },
  };
}
