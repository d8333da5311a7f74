import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { systemClock } from "@tiphys/clock";
import { loadKubeconfig } from "@tiphys/kube";
import { silentLogger } from "@tiphys/telemetry";
import { createEmbeddedKube } from "../embedded-kube.js";
import { type RawAnswer, raw } from "../testing.js";

/** One request to both servers; `$NS` is the run's namespace and `$ID` a prefix of its own for names of the cluster. */
export interface Step {
  readonly name: string;
  readonly method?: string;
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Whom the administrator acts as: `user` or `user group group`. "anonymous" sends no credentials at all. */
  readonly as?: string;
  /** Only these members of the answer are compared, below 300. */
  readonly only?: readonly string[];
}

type Connection = Parameters<typeof raw>[0];
export interface Side {
  readonly name: string;
  readonly connection: Connection;
  ask(step: Step): Promise<RawAnswer>;
}

/** An embedded API server and the real one (of the kubeconfig at this path), asked in the same words. */
export async function twoSides(
  realKubeconfig: string,
): Promise<{ sides: readonly [Side, Side]; stop(): Promise<void> }> {
  const id = `t${randomBytes(4).toString("hex")}`;
  const kube = await createEmbeddedKube({ clock: systemClock(), random: randomBytes, log: silentLogger });
  const { kubeconfig } = await kube.listen({ host: "127.0.0.1", port: 0 });
  const real = await loadKubeconfig({ text: await readFile(realKubeconfig, "utf8") });
  const own = await loadKubeconfig({ text: kubeconfig });
  const bearer = typeof real.token === "object" ? real.token.reveal() : undefined;
  const side = (name: string, connection: Connection): Side => {
    const filled = (value: unknown) =>
      JSON.parse(JSON.stringify(value).replaceAll("$NS", `${id}-ns`).replaceAll("$ID", id));
    return {
      name,
      connection,
      async ask(step) {
        const { method = "GET", path, body, headers = {}, as } = filled(step) as Step;
        const [user, ...groups] = as?.split(" ") ?? [];
        const who = user && user !== "anonymous" ? { "impersonate-user": user } : {};
        const with_ = groups.length > 0 ? { "impersonate-group": groups } : {};
        const { server, ca } = connection;
        const from = as === "anonymous" ? { server, ...(ca ? { ca } : {}) } : connection;
        const type = body && !headers["content-type"] ? { "content-type": "application/json" } : {};
        const all = { ...type, ...who, ...with_, ...headers } as Record<string, string>;
        const answer = await raw(from, method, path, body ? JSON.stringify(body) : undefined, all);
        const text = answer.text.replaceAll(id, "$ID").replaceAll("$ID-ns", "$NS");
        return { ...answer, text, json: parsed(text) };
      },
    };
  };
  const sides = [side("embedded", own), side("real", { ...real, ...(bearer ? { bearer } : {}) })] as const;
  return { sides, stop: () => kube.stop() };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Members that differ from run to run; nothing else may. */
const volatileMembers = new Set([
  "uid",
  "resourceVersion",
  "creationTimestamp",
  "time",
  "expirationTimestamp",
  "token",
]);

/** Lists that the real server gives in the order of a map. */
const unordered = new Set(["resourceRules", "nonResourceRules"]);
const textOf = (value: unknown): string => JSON.stringify(value);

/** An answer without what differs from run to run. */
export function normalised(value: unknown): unknown {
  if (typeof value === "string") {
    return value
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/g, "UID")
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
      .replace(/X509SHA256=[0-9a-f]+/g, "X509SHA256=…")
      .replace(/(kube-api-access-)[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, "$1…");
  }
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(normalised);
  const out: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    if (unordered.has(key) && Array.isArray(member)) {
      out[key] = member.map(normalised).sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
    } else out[key] = volatileMembers.has(key) && member !== "" && member !== null ? "…" : normalised(member);
  }
  return out;
}

/** What is compared of an answer. */
export function compared(answer: RawAnswer, { only }: Step): unknown {
  const { code, json, text } = answer;
  if (json === undefined) return { code, text };
  const shown = only && code < 300 ? Object.fromEntries(only.map((member) => [member, json[member]])) : json;
  return { code, answer: normalised(shown) };
}
