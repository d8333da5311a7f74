import { InvalidArgumentError, messageOf } from "@tiphys/errors";
import type { ParameterSource, TriggerParameter } from "@tiphys/resources";
import { type CloudEvent, contextOf } from "./cloud-event.js";
import { asText, getPath, setPath } from "./json-path.js";
import { compileTemplate, type Template } from "./template.js";

/** The events of one run, by dependency name. */
export type Events = Readonly<Record<string, CloudEvent>>;

const templates = new Map<string, Template>();
const TEMPLATES_KEPT = 1000;

/** Compiles once per text. */
function templateOf(text: string): Template {
  let template = templates.get(text);
  if (!template) {
    template = compileTemplate(text);
    if (templates.size >= TEMPLATES_KEPT) templates.clear();
    templates.set(text, template);
  }
  return template;
}

/** Throws for what can never work: bad templates, operations and destinations. */
export function checkParameter(parameter: TriggerParameter, field: string, dependencies: readonly string[]): void {
  const { src, dest, operation } = parameter;
  if (!src?.dependencyName) throw new InvalidArgumentError(`${field}.src.dependencyName`, "is missing");
  if (!dependencies.includes(src.dependencyName)) {
    throw new InvalidArgumentError(
      `${field}.src.dependencyName`,
      `${src.dependencyName} is not a dependency of the sensor`,
    );
  }
  if (operation !== undefined && !["", "overwrite", "append", "prepend"].includes(operation)) {
    throw new InvalidArgumentError(`${field}.operation`, `"${operation}" is not one of overwrite, append, prepend`);
  }
  if (dest) setPath({}, dest, "");
  for (const template of [src.dataTemplate, src.contextTemplate]) if (template) templateOf(template);
}

/** The value a parameter picks; undefined when its dependency has no event and it has no default: it is left out then. */
export function pick(src: ParameterSource, events: Events): unknown {
  const event = events[src.dependencyName];
  if (!event) return src.value;
  const problems: string[] = [];
  const attempt = (get: () => unknown): unknown => {
    try {
      const value = get();
      if (value !== undefined) return value;
    } catch (error) {
      problems.push(messageOf(error));
      return undefined;
    }
    return undefined;
  };
  const byKey = (data: unknown, key: string, what: string) => () => {
    const found = getPath(data, key);
    if (found === undefined) throw new InvalidArgumentError("", `${what} ${key} is not in event ${event.id}`);
    return found;
  };
  // Data before context, template before key, then the default.
  const selectors: (() => unknown)[] = [];
  if (src.dataTemplate) selectors.push(() => templateOf(src.dataTemplate!)(event.data));
  if (src.dataKey) selectors.push(byKey(event.data, src.dataKey, "data"));
  if (src.contextTemplate) selectors.push(() => templateOf(src.contextTemplate!)(contextOf(event)));
  if (src.contextKey) selectors.push(byKey(contextOf(event), src.contextKey, "context"));
  for (const selector of selectors) {
    const value = attempt(selector);
    if (value !== undefined) return src.useRawData ? value : asText(value);
  }
  if (src.value !== undefined) return src.value;
  if (selectors.length > 0) {
    throw new InvalidArgumentError(
      `dependency ${src.dependencyName}`,
      `${problems.join("; ")}; give src.value as a default`,
    );
  }
  return wholeEvent(event, src.useRawData === true);
}

function wholeEvent(event: CloudEvent, raw: boolean): unknown {
  const data = Buffer.from(JSON.stringify(event.data)).toString("base64");
  const whole = { context: contextOf(event), data };
  return raw ? whole : JSON.stringify(whole);
}

/** A copy of `object` with every parameter written to its destination. */
export function applyParameters<T>(object: T, parameters: readonly TriggerParameter[] | undefined, events: Events): T {
  let result: unknown = object;
  for (const parameter of parameters ?? []) {
    if (!parameter.src) continue;
    const value = pick(parameter.src, events);
    if (value === undefined) continue;
    result = write(result, parameter, value);
  }
  return result as T;
}

function write(object: unknown, { dest, operation }: TriggerParameter, value: unknown): unknown {
  if (!dest) throw new InvalidArgumentError("dest", "is missing");
  if (operation === "append" || operation === "prepend") {
    const before = asText(getPath(object, dest));
    return setPath(object, dest, operation === "append" ? before + asText(value) : asText(value) + before);
  }
  return setPath(object, dest, value);
}

/** The body that payload parameters build; one with an empty dest is the whole body as it is. */
export function buildPayload(parameters: readonly TriggerParameter[] | undefined, events: Events): string | undefined {
  if (!parameters || parameters.length === 0) return undefined;
  let body: unknown = {};
  for (const parameter of parameters) {
    if (!parameter.src) continue;
    const value = pick(parameter.src, events);
    if (value === undefined) continue;
    if (!parameter.dest) return asText(value);
    body = write(body, parameter, value);
  }
  return JSON.stringify(body);
}
