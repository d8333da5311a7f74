import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { systemClock } from "@tiphys/clock";
import { loadKubeconfig } from "@tiphys/kube";
import { silentLogger } from "@tiphys/telemetry";
import { realClusterKubeconfig } from "@tiphys/testing";
import { createEmbeddedKube, type EmbeddedKube } from "../index.js";
import { type RawAnswer, raw, until } from "../testing.js";

type Connection = Parameters<typeof raw>[0];

/** One of the two servers that have to answer alike. */
export interface Side {
  request(method: string, path: string, body?: unknown, type?: string): Promise<RawAnswer>;
}

export interface Sides {
  readonly embedded: Side;
  readonly real: Side;
  /** A namespace of this run on both. */
  readonly namespace: string;
  /** Creates a definition on both, and waits until it is served there. */
  define(crd: object): Promise<void>;
  close(): Promise<void>;
}

/** The embedded server and the real control plane, with a namespace that is gone afterwards. */
export async function openSides(): Promise<Sides> {
  const kube: EmbeddedKube = await createEmbeddedKube({ clock: systemClock(), random: randomBytes, log: silentLogger });
  const { kubeconfig } = await kube.listen({ host: "127.0.0.1", port: 0 });
  const own = await loadKubeconfig({ text: kubeconfig });
  const real = await loadKubeconfig({ text: await readFile(realClusterKubeconfig() ?? "", "utf8") });
  const bearer = typeof real.token === "object" ? real.token.reveal() : undefined;
  const side = (connection: Connection): Side => ({
    request: (method, path, body, type) =>
      raw(
        connection,
        method,
        path,
        body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
        type ? { "content-type": type } : {},
      ),
  });
  const embedded = side(own);
  const there = side({ ...real, ...(bearer ? { bearer } : {}) });
  const both = [embedded, there];
  const namespace = `tiphys-d-${randomBytes(4).toString("hex")}`;
  const definitions: string[] = [];
  for (const one of both) await one.request("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  return {
    embedded,
    real: there,
    namespace,
    async define(crd) {
      const { metadata, spec } = crd as {
        metadata: { name: string };
        spec: { group: string; names: { plural: string }; versions: { name: string }[] };
      };
      definitions.push(metadata.name);
      for (const one of both) {
        const { code, text } = await one.request("POST", CRDS, crd);
        if (code !== 201) throw new Error(`${one === embedded ? "embedded" : "real"}: ${code} ${text}`);
        await until(
          async () =>
            (await one.request("GET", `/apis/${spec.group}/${spec.versions[0]!.name}/${spec.names.plural}`)).code ===
            200,
        );
      }
    },
    async close() {
      for (const name of definitions) for (const one of both) await one.request("DELETE", `${CRDS}/${name}`);
      for (const one of both) await one.request("DELETE", `/api/v1/namespaces/${namespace}`);
      await kube.stop();
    },
  };
}

export const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** Members that differ from run to run; nothing else may. */
const volatileMembers = new Set(["uid", "resourceVersion", "creationTimestamp", "time", "lastTransitionTime"]);

/** An answer without what differs from run to run. Causes and the texts of a message have no order on the real server. */
export function normalise(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/selfType\d*/g, "selfType");
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(normalise);
  const out: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    if (volatileMembers.has(key) && member !== null && member !== "") out[key] = "…";
    else if (key === "causes" && Array.isArray(member)) out[key] = member.map(normalise).map(textOf).sort();
    else if (key === "message" && typeof member === "string" && Object.hasOwn(value, "details"))
      out[key] = headOf(member);
    else out[key] = normalise(member);
  }
  return out;
}

const textOf = (value: unknown): string => JSON.stringify(value);

/** What a message says before its causes, which `causes` has too. */
const headOf = (message: string): string =>
  message.replace(/ is invalid: .*$/s, " is invalid: …").replace(/selfType\d*/g, "selfType");
