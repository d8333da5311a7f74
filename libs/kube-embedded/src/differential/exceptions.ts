import type { Outcome } from "./play.js";

/**
 * A difference between the two servers that is meant to stay, at most ten in all. Each is a page in docs/adr and a line
 * in docs/embedded-cluster.md. `level` takes it out of an outcome of either side.
 */
export interface Exception {
  readonly adr: string;
  readonly what: string;
  level(outcome: Outcome): Outcome;
}

export const exceptions: readonly Exception[] = [
  {
    adr: "0030",
    what: "there are no descriptions: columns of tables and OpenAPI documents have names and types alone",
    level: (outcome) => ({ ...outcome, body: withoutColumnDescriptions(outcome.body) }),
  },
  {
    adr: "0031",
    what: "a write of a kind that nothing acts on is answered with a Warning that says so",
    level: ({ headers: { warning, ...headers }, ...outcome }) => {
      const rest = (warning ?? "")
        .split(/\n|, (?=299 - ")/)
        .filter((line) => line && !line.includes(": see docs/compatibility.md"));
      return { ...outcome, headers: { ...headers, ...(rest.length > 0 ? { warning: rest.join("\n") } : {}) } };
    },
  },
  {
    adr: "0032",
    what: "what is wrong with a text that is no YAML is said in the words of another reader",
    level: (outcome) => ({ ...outcome, body: withoutYamlProblems(outcome.body) }),
  },
];

/** The outcome without what is an exception. */
export const levelled = (outcome: Outcome | undefined): Outcome | undefined =>
  outcome && exceptions.reduce((one, { level }) => level(one), outcome);

// biome-ignore lint/suspicious/noExplicitAny: whatever the server answered
function withoutColumnDescriptions(body: any): unknown {
  if (Array.isArray(body)) return body.map(withoutColumnDescriptions);
  if (body?.object?.columnDefinitions) return { ...body, object: withoutColumnDescriptions(body.object) };
  if (!Array.isArray(body?.columnDefinitions)) return body;
  return {
    ...body,
    columnDefinitions: body.columnDefinitions.map(({ description: _, ...column }: { description?: string }) => column),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: whatever the server answered
function withoutYamlProblems(body: any): unknown {
  if (typeof body?.message !== "string" || body.kind !== "Status") return body;
  return { ...body, message: body.message.replace(/yaml: .*?(?= \([0-9a-f]|$)/s, "yaml: …") };
}
