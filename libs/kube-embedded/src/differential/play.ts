import { type Agent, request } from "node:https";
import { gunzipSync } from "node:zlib";
import type { ClusterConnection } from "@tiphys/kube";
import { comparedHeaders, type Names, normalise, normaliseText } from "./normalise.js";

/** One request. `$NS` and `$RUN` in path and body stand for the names of this run, `{{name}}` for what was kept. */
export interface Step {
  /** What this request is about; unique in its group. */
  readonly name: string;
  readonly method: string;
  /** Absolute, or below the namespace: `configmaps/a`, `apps/v1/deployments`. */
  readonly path: string;
  /** An object is sent as JSON, a text or bytes as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Kept for later steps under the name on the left: the member of the answer at this path. */
  readonly keep?: Readonly<Record<string, string>>;
  /** Members that only controllers write, which one side may have and the other not: left out of objects. */
  readonly without?: readonly string[];
  /** Asked again until it answers with this code: for what comes about a little later. */
  readonly until?: number;
  /** Why this request is not compared: it only prepares for others. */
  readonly uncompared?: string;
}

/** Requests that are played one after the other in a namespace of their own. */
export interface Group {
  readonly name: string;
  readonly steps: readonly Step[];
}

export interface Side extends Names {
  readonly connection: Pick<ClusterConnection, "server" | "ca" | "clientCert" | "clientKey">;
  readonly bearer?: string;
  readonly agent: Agent;
}

/** An answer without what is made up: what has to be the same on both sides. */
export interface Outcome {
  readonly code: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly layout: string;
  readonly body: unknown;
}

export const MERGE = "application/merge-patch+json";
export const STRATEGIC = "application/strategic-merge-patch+json";
export const JSON_PATCH = "application/json-patch+json";
export const APPLY = "application/apply-patch+yaml";

/** Managers of controllers that run beside or inside of the real server. */
const CONTROLLERS = /^(kube-controller-manager|kube-apiserver|api-priority-and-fairness|kubernetes-service-cidr)/;

/** The real API server stands alone, without controllers: then everything is compared. */
// Real environment: which control plane stands ready is known outside alone.
const BARE = process.env["TIPHYS_DIFFERENTIAL_BARE"] === "1";
const DEADLINE_MS = 15_000;

/** Plays a group on one side. */
export async function play(group: Group, side: Side): Promise<Outcome[]> {
  const kept: Record<string, string> = {};
  const outcomes: Outcome[] = [];
  const filled = (text: string): string =>
    text
      .replaceAll("$NS", side.namespace)
      .replaceAll("$RUN", side.run)
      .replace(/\{\{(\w+)\}\}/g, (_, name: string) => kept[name] ?? `{{${name}}}`);
  for (const step of group.steps) {
    const path = filled(step.path.startsWith("/") ? step.path : `${rootOf(step.path)}`);
    const body =
      step.body === undefined || Buffer.isBuffer(step.body)
        ? (step.body as Buffer | undefined)
        : Buffer.from(filled(typeof step.body === "string" ? step.body : JSON.stringify(step.body)));
    // Real time: the servers played with are processes of their own.
    const end = performance.now() + DEADLINE_MS;
    let answer = await ask(side, step, path, body);
    while (step.until !== undefined && answer.code !== step.until && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      answer = await ask(side, step, path, body);
    }
    for (const [name, at] of Object.entries(step.keep ?? {})) {
      const value = at
        .split(".")
        .reduce<unknown>((here, key) => (here as Record<string, unknown>)?.[key], parsed(answer.text));
      kept[name] = String(value);
    }
    outcomes.push(outcomeOf(answer, step, side));
  }
  return outcomes;
}

/** `configmaps/a` is of the core group, `apps/v1/deployments/x` of the group and version it begins with. */
function rootOf(path: string): string {
  const found = /^([a-z0-9.$-]+|\$RUN\.[a-z0-9.-]+)\/(v\d\w*)\/(.*)$/i.exec(path);
  return found ? `/apis/${found[1]}/${found[2]}/namespaces/$NS/${found[3]}` : `/api/v1/namespaces/$NS/${path}`;
}

interface Answer {
  readonly code: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

function ask(side: Side, { method, headers = {} }: Step, path: string, body: Buffer | undefined): Promise<Answer> {
  const { server, ca, clientCert, clientKey } = side.connection;
  return new Promise((resolve, reject) => {
    const sent = request(
      server + path.replaceAll(" ", "%20"),
      {
        method,
        agent: side.agent,
        ...(ca ? { ca } : {}),
        ...(clientCert && clientKey ? { cert: clientCert, key: clientKey.reveal() } : {}),
        headers: {
          ...(body === undefined ? {} : { "content-type": "application/json", "content-length": String(body.length) }),
          ...(side.bearer ? { authorization: `Bearer ${side.bearer}` } : {}),
          "user-agent": "differential/1",
          ...headers,
        },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("error", reject);
        response.on("end", () => {
          let bytes: Buffer = Buffer.concat(parts);
          if (response.headers["content-encoding"] === "gzip") bytes = gunzipSync(bytes);
          resolve({ code: response.statusCode ?? 0, headers: response.headers, text: bytes.toString() });
        });
      },
    );
    sent.setTimeout(DEADLINE_MS, () => sent.destroy(new Error(`${method} ${path} was not answered`)));
    sent.on("error", reject);
    sent.end(body);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function outcomeOf({ code, headers, text }: Answer, step: Step, names: Names): Outcome {
  const shown: Record<string, string> = {};
  for (const name of comparedHeaders) {
    const value = headers[name];
    if (value !== undefined) shown[name] = normaliseText([value].flat().sort().join("\n"), names);
  }
  return { code, headers: shown, layout: layoutOf(text), body: bodyOf(text, step, names) };
}

/** How a text is laid out: what a person or a line reader notices although the data is the same. */
function layoutOf(text: string): string {
  if (!/^\s*[{[]/.test(text)) return "text";
  const indented = /^\{\n {2}"/.test(text);
  return `${indented ? "indented" : "compact"}${text.endsWith("\n") ? " with newline" : ""}`;
}

function bodyOf(text: string, { without = [] }: Step, names: Names): unknown {
  const whole = parsed(text);
  if (whole !== undefined) return normalise(pruned(whole, without), names);
  // A watch: one document a line.
  const lines = text.split("\n").filter(Boolean).map(parsed);
  if (lines.length > 0 && lines.every((line) => line !== undefined)) {
    const told = lines.filter((line) => !isPlainBookmark(line));
    return told.map((line) => normalise(pruned(line, without), names));
  }
  return normaliseText(text, names);
}

/** Bookmarks come when time goes by; only the one that ends the initial events has its place. */
function isPlainBookmark(line: unknown): boolean {
  return (line as { type?: string }).type === "BOOKMARK" && !JSON.stringify(line).includes("initial-events-end");
}

/** Without what controllers of a whole cluster write into objects. */
function pruned(value: unknown, paths: readonly string[]): unknown {
  if (BARE || paths.length === 0 || value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item) => pruned(item, paths));
  const out: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    if (paths.includes(key)) continue;
    out[key] =
      key === "managedFields" && Array.isArray(member)
        ? member.filter(({ manager }: { manager?: string }) => !CONTROLLERS.test(manager ?? ""))
        : pruned(member, paths);
  }
  return out;
}
