import { readFile } from "node:fs/promises";
import { FailedPreconditionError, InvalidArgumentError, NotFoundError, UnavailableError } from "@tiphys/errors";
import type { KubeObject } from "@tiphys/resources";
import { parseYamlDocuments, toYaml } from "@tiphys/yaml";
import type { Connection } from "./connection.js";
import type { KindView } from "./kinds.js";
import { growingTable, table } from "./table.js";

export type Format = "table" | "json" | "yaml" | "name";

/** What commands are given from outside. */
export interface World {
  readonly connect: () => Promise<Connection>;
  readonly print: (text: string) => void;
  /** For people only: what is no part of the output. */
  readonly remark: (text: string) => void;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

export interface Target {
  readonly namespace?: string;
  readonly output: Format;
}

export function parseFormat(text: string): Format {
  if (text === "table" || text === "json" || text === "yaml" || text === "name") return text;
  throw new InvalidArgumentError("--output", `"${text}" is none of table, json, yaml, name`);
}

const object = (json: Uint8Array | undefined): KubeObject => JSON.parse(Buffer.from(json ?? []).toString("utf8"));

async function using<T>(world: World, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await world.connect();
  try {
    return await work(connection);
  } finally {
    connection.close();
  }
}

const nameOf = (view: KindView, o: KubeObject) => `${view.resource.replace(/s$/, "")}/${o.metadata.name}`;

export async function list(
  world: World,
  view: KindView,
  { namespace, output }: Target,
  selector?: string,
): Promise<void> {
  await using(world, async ({ api }) => {
    const { items = [] } = await api.list({
      resource: view.resource,
      ...(namespace ? { namespace } : {}),
      ...(selector ? { labelSelector: selector } : {}),
    });
    const objects = items.map(object);
    if (output === "json") world.print(JSON.stringify(objects, null, 2));
    else if (output === "yaml")
      world.print(
        objects
          .map((o) => toYaml(o))
          .join("---\n")
          .trimEnd(),
      );
    else if (output === "name") for (const o of objects) world.print(nameOf(view, o));
    else if (objects.length === 0)
      world.remark(`no ${view.resource} found${namespace ? ` in namespace ${namespace}` : ""}`);
    else
      world.print(
        table(
          view.header,
          objects.map((o) => view.row(o, world.now())),
        ),
      );
  });
}

export async function get(world: World, view: KindView, name: string, target: Target): Promise<void> {
  await using(world, async ({ api }) => {
    const { json } = await api.get({
      resource: view.resource,
      namespace: target.namespace ?? view.defaultNamespace ?? "default",
      name,
    });
    show(world, view, object(json), target.output);
  });
}

export function show(world: World, view: KindView, o: KubeObject, output: Format): void {
  if (output === "json") world.print(JSON.stringify(o, null, 2));
  else if (output === "yaml") world.print(toYaml(o).trimEnd());
  else if (output === "name") world.print(nameOf(view, o));
  else {
    const rows = view.details(o, world.now()).filter(([, value]) => value !== "");
    const width = Math.max(...rows.map(([title]) => title.length)) + 3;
    world.print(rows.map(([title, value]) => `${`${title}:`.padEnd(width)}${value}`).join("\n"));
  }
}

/** A stream that ends by itself was ended by the server. */
function ended(world: World): void {
  if (!world.signal.aborted) throw new UnavailableError("the server has ended the stream: is it still running?");
}

/** Prints a line at every change until interrupted. */
export async function watch(
  world: World,
  view: KindView,
  { namespace, output, name }: Target & { name?: string },
): Promise<void> {
  await using(world, async ({ api }) => {
    const line = growingTable(view.header);
    if (output === "table") world.print(line(view.header));
    const request = {
      resource: view.resource,
      ...((namespace ?? (name ? view.defaultNamespace : undefined))
        ? { namespace: namespace ?? view.defaultNamespace ?? "" }
        : {}),
      ...(name ? { name } : {}),
    };
    for await (const { type, json } of api.watch(request, { signal: world.signal })) {
      const o = object(json);
      if (output === "json") world.print(JSON.stringify({ type, object: o }));
      else if (output === "yaml") world.print(`---\n${toYaml(o).trimEnd()}`);
      else if (output === "name") world.print(nameOf(view, o));
      else world.print(line(view.row(o, world.now())) + (type === "DELETED" ? "   (deleted)" : ""));
    }
    ended(world);
  });
}

const finished: ReadonlySet<string> = new Set(["Succeeded", "Failed", "Error"]);

/** Starts a sync and, unless `wait` is false, follows it to its end; a failed sync is an error. */
export async function syncApplication(
  world: World,
  view: KindView,
  name: string,
  options: Target & { revision?: string; prune?: boolean; dryRun?: boolean; wait: boolean },
): Promise<void> {
  const namespace = options.namespace ?? view.defaultNamespace ?? "argocd";
  await using(world, async ({ api }) => {
    const { revision, prune, dryRun } = options;
    const before = object((await api.get({ resource: view.resource, namespace, name })).json);
    await api.syncApplication({
      namespace,
      name,
      ...(revision ? { revision } : {}),
      prune: prune ?? false,
      dryRun: dryRun ?? false,
    });
    if (!options.wait) return world.print(`sync of ${name} requested`);
    const startedBefore = before["status"]?.operationState?.startedAt;
    for await (const { json } of api.watch({ resource: view.resource, namespace, name }, { signal: world.signal })) {
      const app = object(json);
      const state = app["status"]?.operationState;
      if (app["operation"] || !state || !finished.has(state.phase)) continue;
      if (state.startedAt === startedBefore && before["status"]?.operationState?.finishedAt === state.finishedAt)
        continue;
      show(world, view, app, options.output);
      if (state.phase !== "Succeeded")
        throw new FailedPreconditionError(`sync of ${name} ended as ${state.phase}: ${state.message ?? ""}`);
      return;
    }
    ended(world);
  });
}

export interface SubmitOptions extends Target {
  readonly file?: string;
  readonly from?: string;
  readonly parameters: readonly string[];
  readonly wait: boolean;
  readonly log: boolean;
}

/** Submits a workflow from a file or a template; with `wait` a failed workflow is an error. */
export async function submitWorkflow(world: World, view: KindView, options: SubmitOptions): Promise<void> {
  const parameters = Object.fromEntries(options.parameters.map(parameter));
  const json = options.file ? Buffer.from(JSON.stringify(await readWorkflow(options.file))) : undefined;
  const template = options.from?.replace(/^(workflowtemplate|wftmpl)\//i, "");
  if (!json && !template)
    throw new InvalidArgumentError("", "name a workflow file, or a template with --from workflowtemplate/NAME");
  await using(world, async ({ api }) => {
    const created = object(
      (
        await api.submitWorkflow({
          ...(options.namespace ? { namespace: options.namespace } : {}),
          ...(json ? { json } : {}),
          ...(template ? { template } : {}),
          parameters,
        })
      ).json,
    );
    show(world, view, created, options.output);
    const { namespace = "default", name } = created.metadata;
    if (options.log) {
      for await (const { pod, content } of api.workflowLogs(
        { namespace, name, follow: true },
        { signal: world.signal },
      ))
        world.print(`${pod}: ${content}`);
    }
    if (!options.wait && !options.log) return;
    for await (const event of api.watch({ resource: view.resource, namespace, name }, { signal: world.signal })) {
      const workflow = object(event.json);
      const phase = workflow["status"]?.phase;
      if (!finished.has(phase)) continue;
      world.print(`${name} ${phase}`);
      if (phase !== "Succeeded")
        throw new FailedPreconditionError(`workflow ${name} ended as ${phase}: ${workflow["status"]?.message ?? ""}`);
      return;
    }
    ended(world);
  });
}

function parameter(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError("--parameter", `"${text}" is not name=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

async function readWorkflow(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new InvalidArgumentError(file, "cannot be read", { cause });
  }
  const documents = parseYamlDocuments(text, { file }).filter(({ value }) => value !== null && value !== undefined);
  if (documents.length !== 1)
    throw new InvalidArgumentError(file, `holds ${documents.length} documents; submit takes one Workflow`);
  return documents[0]?.value;
}

export async function workflowLogs(
  world: World,
  name: string,
  namespace: string | undefined,
  follow: boolean,
): Promise<void> {
  await using(world, async ({ api }) => {
    const request = { namespace: namespace ?? "default", name, follow };
    for await (const { pod, content } of api.workflowLogs(request, { signal: world.signal }))
      world.print(`${pod}: ${content}`);
  });
}

export async function act(
  world: World,
  view: KindView,
  kind: "workflow" | "rollout",
  name: string,
  action: string,
  { namespace = "default", output, revision }: Target & { revision?: number },
): Promise<void> {
  await using(world, async ({ api }) => {
    const request = { namespace, name, action, ...(revision ? { revision } : {}) };
    const { json } = kind === "workflow" ? await api.actOnWorkflow(request) : await api.actOnRollout(request);
    if (output === "table") world.print(`${kind} '${name}' ${action}: accepted`);
    else show(world, view, object(json), output);
  });
}

export async function explain(
  world: World,
  view: KindView,
  name: string,
  { namespace, output }: Target,
): Promise<void> {
  await using(world, async ({ api }) => {
    const { decisions = [] } = await api.explain({
      resource: view.resource,
      namespace: namespace ?? view.defaultNamespace ?? "default",
      name,
    });
    if (output === "json") return world.print(JSON.stringify(decisions, null, 2));
    if (output === "yaml") return world.print(toYaml(decisions).trimEnd());
    for (const { at, actions = [], reasons = [] } of decisions) {
      world.print(
        [
          at,
          ...reasons.map((r) => `  ${r.code}: ${r.message}${r.about ? ` (${r.about})` : ""}`),
          ...actions.map((a) => `  did ${a}`),
        ].join("\n"),
      );
    }
  });
}

export async function listEvents(
  world: World,
  { namespace, output }: Target,
  filter: { change?: string; limit: number; id?: string },
): Promise<void> {
  await using(world, async ({ api }) => {
    const { events = [] } = await api.listEvents({
      ...(namespace ? { namespace } : {}),
      ...(filter.change ? { change: filter.change } : {}),
      limit: filter.limit,
    });
    const chosen = filter.id ? events.filter(({ id }) => id === filter.id) : events;
    if (filter.id && chosen.length === 0) throw new NotFoundError(`no recent event has the id ${filter.id}`);
    if (output === "json") world.print(JSON.stringify(filter.id ? chosen[0] : chosen, null, 2));
    else if (output === "yaml") world.print(toYaml(filter.id ? chosen[0] : chosen).trimEnd());
    else if (output === "name") for (const { id } of chosen) world.print(`event/${id}`);
    else if (chosen.length === 0) world.remark("no events yet");
    else world.print(table(EVENT_HEADER, chosen.map(eventRow)));
  });
}

const EVENT_HEADER = ["TIME", "NAMESPACE", "SOURCE", "EVENT", "TYPE", "ID", "CHANGE"];
type EventMessage = Readonly<
  Partial<Record<"at" | "namespace" | "eventSource" | "eventName" | "type" | "id" | "change", string>>
>;
const eventRow = ({ at, namespace, eventSource, eventName, type, id, change }: EventMessage): string[] =>
  [at, namespace, eventSource, eventName, type, id, change].map((cell) => cell ?? "");

/** Prints every new event until interrupted: a live view over the sources' history. */
export async function watchEvents(
  world: World,
  target: Target,
  poll: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  await using(world, async ({ api }) => {
    const seen = new Set<string>();
    const line = growingTable(EVENT_HEADER);
    if (target.output === "table") world.print(line(EVENT_HEADER));
    while (!world.signal.aborted) {
      const { events = [] } = await api.listEvents({
        ...(target.namespace ? { namespace: target.namespace } : {}),
        limit: 200,
      });
      for (const event of [...events].reverse()) {
        if (!event.id || seen.has(event.id)) continue;
        seen.add(event.id);
        if (target.output === "json") world.print(JSON.stringify(event));
        else if (target.output === "name") world.print(`event/${event.id}`);
        else if (target.output === "yaml") world.print(`---\n${toYaml(event).trimEnd()}`);
        else world.print(line(eventRow(event)));
      }
      await poll(world.signal).catch(() => {});
    }
  });
}
