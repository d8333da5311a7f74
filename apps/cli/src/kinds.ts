import type { KubeObject } from "@tiphys/resources";
import { rolloutInfo } from "@tiphys/rollout";
import { age } from "./table.js";

/** How one resource looks in the terminal. */
export interface KindView {
  readonly resource: string;
  /** Namespace that -n defaults to; undefined means all in lists and `default` for one object. */
  readonly defaultNamespace?: string;
  readonly header: readonly string[];
  row(object: KubeObject, now: Date): readonly string[];
  details(object: KubeObject, now: Date): readonly (readonly [string, string])[];
}

const text = (value: unknown): string => (value === undefined || value === null ? "" : String(value));
const short = (revision: unknown): string =>
  /^[0-9a-f]{40}$/.test(text(revision)) ? text(revision).slice(0, 7) : text(revision);
const change = (object: KubeObject): readonly [string, string] => [
  "Change",
  object.metadata.annotations?.["tiphys.dev/change"] ?? "",
];

export const applicationView: KindView = {
  resource: "applications",
  defaultNamespace: "argocd",
  header: ["NAME", "PROJECT", "SYNC STATUS", "HEALTH STATUS", "REVISION", "REPO", "PATH"],
  row: ({ metadata, ...app }) => [
    metadata.name,
    app["spec"]?.project || "default",
    text(app["status"]?.sync?.status || "Unknown"),
    text(app["status"]?.health?.status || "Unknown"),
    short(app["status"]?.sync?.revision),
    text(app["spec"]?.source?.repoURL),
    text(app["spec"]?.source?.path),
  ],
  details: (app) => [
    ["Name", `${app.metadata.namespace}/${app.metadata.name}`],
    ["Project", app["spec"]?.project || "default"],
    ["Server", text(app["spec"]?.destination?.server ?? app["spec"]?.destination?.name)],
    ["Namespace", text(app["spec"]?.destination?.namespace)],
    ["Repo", text(app["spec"]?.source?.repoURL)],
    ["Target", text(app["spec"]?.source?.targetRevision || "HEAD")],
    ["Path", text(app["spec"]?.source?.path)],
    ["Sync Status", `${text(app["status"]?.sync?.status || "Unknown")} (${short(app["status"]?.sync?.revision)})`],
    ["Health Status", text(app["status"]?.health?.status || "Unknown")],
    [
      "Operation",
      [app["status"]?.operationState?.phase, app["status"]?.operationState?.message].filter(Boolean).join(": "),
    ],
    ...((app["status"]?.conditions ?? []) as { type: string; message: string }[]).map((c): [string, string] => [
      `Condition ${c.type}`,
      c.message,
    ]),
    ...((app["status"]?.resources ?? []) as Record<string, string>[]).map((r): [string, string] => [
      `Resource ${r["kind"]}`,
      `${r["namespace"] ?? ""}/${r["name"]} ${text(r["status"])}${r["health"] ? ` ${text((r["health"] as unknown as { status?: string }).status)}` : ""}`,
    ]),
    change(app),
  ],
};

export const workflowView: KindView = {
  resource: "workflows",
  header: ["NAMESPACE", "NAME", "STATUS", "AGE", "DURATION", "PROGRESS", "MESSAGE"],
  row: ({ metadata, ...wf }, now) => [
    text(metadata.namespace),
    metadata.name,
    text(wf["status"]?.phase || "Pending"),
    age(metadata.creationTimestamp, now),
    wf["status"]?.startedAt
      ? age(wf["status"].startedAt, wf["status"].finishedAt ? new Date(wf["status"].finishedAt) : now)
      : "",
    text(wf["status"]?.progress),
    text(wf["status"]?.message),
  ],
  details: (wf, now) => [
    ["Name", `${wf.metadata.namespace}/${wf.metadata.name}`],
    ["Status", text(wf["status"]?.phase || "Pending")],
    ["Message", text(wf["status"]?.message)],
    ["Progress", text(wf["status"]?.progress)],
    ["Started", wf["status"]?.startedAt ? `${age(wf["status"].startedAt, now)} ago` : ""],
    ...Object.values((wf["status"]?.nodes ?? {}) as Record<string, Record<string, string>>).map(
      (n): [string, string] => [
        `Node ${n["displayName"] ?? n["name"]}`,
        [n["type"], n["phase"], n["message"]].filter(Boolean).join(" "),
      ],
    ),
    change(wf),
  ],
};

export const rolloutView: KindView = {
  resource: "rollouts",
  header: [
    "NAMESPACE",
    "NAME",
    "STRATEGY",
    "STATUS",
    "STEP",
    "SET-WEIGHT",
    "READY",
    "DESIRED",
    "UP-TO-DATE",
    "AVAILABLE",
  ],
  row(rollout) {
    const info = rolloutInfo(rollout as never);
    return [
      text(rollout.metadata.namespace),
      rollout.metadata.name,
      text(info.strategy),
      text(info.status),
      text(info.step),
      text(info.setWeight),
      text(info.ready),
      text(info.desired),
      text(info.updated),
      text(info.available),
    ];
  },
  details(rollout) {
    const info = rolloutInfo(rollout as never);
    return [
      ["Name", `${rollout.metadata.namespace}/${rollout.metadata.name}`],
      ["Status", text(info.status)],
      ["Message", text(info.message)],
      ["Strategy", text(info.strategy)],
      ["Step", text(info.step)],
      ["SetWeight", text(info.setWeight)],
      ["ActualWeight", text(info.actualWeight)],
      [
        "Replicas",
        `desired ${text(info.desired)}, current ${text(info.current)}, updated ${text(info.updated)}, ready ${text(info.ready)}, available ${text(info.available)}`,
      ],
      ["Stable", text(rollout["status"]?.stableRS)],
      ["Canary", text(rollout["status"]?.currentPodHash)],
      change(rollout),
    ];
  },
};

const conditionsOf = (object: KubeObject) =>
  (object["status"]?.conditions ?? []) as { type: string; status: string; reason?: string; message?: string }[];

const eventView = (resource: string, column: string, names: (object: KubeObject) => string): KindView => ({
  resource,
  header: ["NAMESPACE", "NAME", "READY", column, "AGE"],
  row: (object, now) => [
    text(object.metadata.namespace),
    object.metadata.name,
    text(conditionsOf(object).find((c) => c.type === "Ready")?.status || "Unknown"),
    names(object),
    age(object.metadata.creationTimestamp, now),
  ],
  details: (object) => [
    ["Name", `${object.metadata.namespace}/${object.metadata.name}`],
    ...conditionsOf(object).map((c): [string, string] => [
      `Condition ${c.type}`,
      [c.status, c.reason, c.message].filter(Boolean).join(" "),
    ]),
  ],
});

export const eventSourceView = eventView("eventsources", "EVENTS", ({ spec }) =>
  Object.entries((spec ?? {}) as Record<string, unknown>)
    .filter(
      ([type, value]) =>
        typeof value === "object" && value !== null && !["template", "service", "filter"].includes(type),
    )
    .flatMap(([type, value]) =>
      Array.isArray(value) ? [] : Object.keys(value as object).map((name) => `${type}/${name}`),
    )
    .sort()
    .join(","),
);

export const sensorView = eventView("sensors", "TRIGGERS", ({ spec }) =>
  ((spec?.triggers ?? []) as { template?: { name?: string } }[]).map((t) => t.template?.name ?? "").join(","),
);
