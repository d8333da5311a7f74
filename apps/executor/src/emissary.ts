import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Exit code that says: the executor failed, not the command. */
const EXECUTOR_FAILED = 64;
const RESULT_BYTES = 256 * 1024;
const PARAMETER_BYTES = 256 * 1024;
const SCRIPT_FILE = "/argo/staging/script";
/** How long a report is tried again while the workflow controller restarts. */
const REPORT_FOR_MS = 120_000;
const GRACE_MS = 10_000;
/** How often the progress file is looked at, unless ARGO_PROGRESS_FILE_TICK_DURATION says. */
const PROGRESS_MS = 3_000;

interface Template {
  readonly script?: { readonly source?: string };
  readonly outputs?: {
    readonly parameters?: readonly {
      readonly name: string;
      readonly globalName?: string;
      readonly default?: unknown;
      readonly valueFrom?: { readonly path?: string; readonly default?: unknown };
    }[];
  };
}

interface Report {
  phase?: "Error";
  message?: string;
  outputs: { result?: string; exitCode: string; parameters?: { name: string; value: string; globalName?: string }[] };
}

/** Runs the user's command, keeps what the workflow wants of it, reports that, and ends as the command ended. */
export async function emissary(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const template = JSON.parse(env["ARGO_TEMPLATE"] ?? "{}") as Template;
  const wantsResult = env["ARGO_INCLUDE_SCRIPT_OUTPUT"] === "true";
  const parameters = (template.outputs?.parameters ?? []).filter((parameter) => parameter.valueFrom?.path);
  const staging = template.script ? mkdtempSync(join(tmpdir(), "tiphys-script-")) : undefined;
  let file: string | undefined;
  if (staging) {
    file = join(staging, "script");
    writeFileSync(file, template.script?.source ?? "", { mode: 0o755 });
  }
  const progress = followProgress(env);
  const run = await runCommand(
    command.map((arg) => (arg === SCRIPT_FILE && file ? file : arg)),
    progress ? { ...env, ARGO_PROGRESS_FILE: progress.file } : env,
    wantsResult,
  );
  // Before the outputs go out: a report of progress that came after them would take them back.
  await progress?.end();
  if (staging) rmSync(staging, { recursive: true, force: true });
  const report: Report = { outputs: { exitCode: String(run.code) } };
  if (wantsResult) report.outputs.result = run.stdout.replace(/\n$/, "");
  if (run.problem) Object.assign(report, { phase: "Error", message: run.problem });
  if (run.code === 0 && parameters.length > 0) collect(parameters, report);
  // A pod whose status says it all needs no report.
  if (!wantsResult && parameters.length === 0 && !run.problem) return run.code;
  const refused = await send(report, env);
  if (report.message) process.stderr.write(`tiphys-executor: ${report.message}\n`);
  if (refused) {
    process.stderr.write(`tiphys-executor: ${refused}\n`);
    return run.code === 0 ? EXECUTOR_FAILED : run.code;
  }
  return report.phase && run.code === 0 ? EXECUTOR_FAILED : run.code;
}

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly problem?: string;
}

function runCommand(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  keep: boolean,
): Promise<Ran> {
  return new Promise((resolve) => {
    const [program, ...args] = command;
    const { TIPHYS_REPORT_TOKEN: _, ...own } = env;
    // Before the command starts: a signal right after its first output would otherwise end us and leave the command behind.
    const forward = (signal: NodeJS.Signals) => child.kill(signal);
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) process.on(signal, forward);
    const child = spawn(program ?? "", args, {
      stdio: ["inherit", keep ? "pipe" : "inherit", "inherit"],
      env: own as NodeJS.ProcessEnv,
    });
    const tail = new Tail(RESULT_BYTES);
    child.stdout?.on("data", (chunk: Buffer) => {
      tail.add(chunk);
      if (!process.stdout.write(chunk)) {
        child.stdout?.pause();
        process.stdout.once("drain", () => child.stdout?.resume());
      }
    });
    const left = Date.parse(env["ARGO_DEADLINE"] ?? "") - Date.now();
    let late = false;
    const timers: NodeJS.Timeout[] = [];
    if (!Number.isNaN(left) && left < 2 ** 31) {
      timers.push(
        setTimeout(
          () => {
            late = true;
            child.kill("SIGTERM");
            timers.push(setTimeout(() => child.kill("SIGKILL"), GRACE_MS));
          },
          Math.max(0, left),
        ),
      );
    }
    const end = (code: number, problem?: string) => {
      for (const timer of timers) clearTimeout(timer);
      resolve({ code, stdout: tail.text(), ...(problem ? { problem } : {}) });
    };
    child.on("error", (error: NodeJS.ErrnoException) => {
      const missing = error.code === "ENOENT";
      end(
        missing ? 127 : 126,
        `cannot run "${program}": ${missing ? "there is no such program in the image" : error.message}`,
      );
    });
    child.on("close", (code, signal) => {
      if (late) process.stderr.write("tiphys-executor: Step exceeded its deadline\n");
      end(code ?? 128 + (signal === "SIGKILL" ? 9 : signal === "SIGTERM" ? 15 : 1));
    });
  });
}

/** The last bytes of a stream. */
class Tail {
  private chunks: Buffer[] = [];
  private size = 0;
  constructor(private readonly limit: number) {}
  add(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.size += chunk.length;
    while (this.chunks.length > 1 && this.size - (this.chunks[0]?.length ?? 0) >= this.limit) {
      this.size -= this.chunks.shift()?.length ?? 0;
    }
  }
  text(): string {
    return Buffer.concat(this.chunks).subarray(-this.limit).toString("utf8");
  }
}

function collect(parameters: NonNullable<NonNullable<Template["outputs"]>["parameters"]>, report: Report): void {
  report.outputs.parameters = [];
  for (const parameter of parameters) {
    const path = parameter.valueFrom?.path ?? "";
    const fallback = parameter.valueFrom?.default ?? parameter.default;
    let value: string | undefined;
    try {
      if (statSync(path).size > PARAMETER_BYTES) throw new Error(`is larger than ${PARAMETER_BYTES} bytes`);
      value = readFileSync(path, "utf8").replace(/\n$/, "");
    } catch (error) {
      if (fallback === undefined || fallback === null) {
        report.phase = "Error";
        report.message = `outputs.parameters.${parameter.name}: cannot read ${path}: ${(error as Error).message}`;
        return;
      }
      value = typeof fallback === "string" ? fallback : JSON.stringify(fallback);
    }
    report.outputs.parameters.push({
      name: parameter.name,
      value,
      ...(parameter.globalName ? { globalName: parameter.globalName } : {}),
    });
  }
}

/** Delivers the report; resolves to the reason when it was refused for good or nobody took it in time. */
/** Reports what the command writes into its progress file, `done/all`, while it runs. */
function followProgress(env: Readonly<Record<string, string | undefined>>) {
  let folder: string | undefined;
  let { ARGO_PROGRESS_FILE: file } = env;
  try {
    if (!file) {
      folder = mkdtempSync(join(tmpdir(), "tiphys-progress-"));
      file = join(folder, "progress");
    }
  } catch {
    // An image whose file system cannot be written to has no progress to tell.
    return undefined;
  }
  const path = file;
  const [, count, unit] = /^(\d{1,6})(ms|s|m)$/.exec(env["ARGO_PROGRESS_FILE_TICK_DURATION"] ?? "") ?? [];
  const wait = Math.max(10, Number(count) * { ms: 1, s: 1000, m: 60_000 }[unit ?? "s"]! || PROGRESS_MS);
  let told = "";
  let sending = Promise.resolve();
  const look = () => {
    let text: string;
    try {
      if (statSync(path).size > 64) return;
      text = readFileSync(path, "utf8").trim();
    } catch {
      return;
    }
    if (text === told || !/^\d{1,9}\/\d{1,9}$/.test(text)) return;
    told = text;
    // One try: what was not told is told by the next report.
    sending = sending.then(async () => void (await post({ progress: text }, env).catch(() => undefined)));
  };
  const timer = setInterval(look, wait);
  return {
    file: path,
    async end() {
      clearInterval(timer);
      look();
      await sending;
      if (folder) rmSync(folder, { recursive: true, force: true });
    },
  };
}

const post = (body: object, env: Readonly<Record<string, string | undefined>>): Promise<Response> =>
  fetch(`${env["TIPHYS_REPORT_URL"]}/tiphys.workflow.v1.TaskResultService/Report`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${env["TIPHYS_REPORT_TOKEN"]}` },
    body: JSON.stringify(body),
  });

async function send(report: Report, env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  const until = Date.now() + REPORT_FOR_MS;
  for (let wait = 50; ; wait = Math.min(wait * 2, 2000)) {
    let problem: string;
    try {
      const answer = await post(report, env);
      const text = await answer.text();
      if (answer.ok) return undefined;
      problem = `reporting the outputs: HTTP ${answer.status} ${text.slice(0, 300)}`;
      if (answer.status < 500 && answer.status !== 429) return problem;
    } catch (error) {
      problem = `reporting the outputs to ${env["TIPHYS_REPORT_URL"]}: ${(error as Error).message}`;
    }
    if (Date.now() + wait > until) return problem;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
