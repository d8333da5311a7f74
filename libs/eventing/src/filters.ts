import { InvalidArgumentError, messageOf, UnimplementedError } from "@tiphys/errors";
import { compileGovaluate } from "@tiphys/expressions";
import type { DataFilter, DependencyFilter, EventDependency, LogicalOperator } from "@tiphys/resources";
import { RE2JS } from "re2js";
import { type CloudEvent, contextOf } from "./cloud-event.js";
import { asText, getPath } from "./json-path.js";
import { compileTemplate } from "./template.js";

/** Why an event does not pass; undefined when it does. */
export type Check = (event: CloudEvent) => string | undefined;

/** Compiles the filters of a dependency once; throws InvalidArgument or Unimplemented, naming the field. */
export function compileFilters(dependency: EventDependency): Check {
  const filters = dependency.filters;
  if (dependency.transform) throw new UnimplementedError("dependency transform (jq, Lua)");
  if (!filters) return () => undefined;
  if (filters.script) throw new UnimplementedError("dependency filters.script (Lua)");
  const families: Check[] = [];
  if (filters.exprs?.length) families.push(combine(filters.exprs.map(exprCheck), filters.exprLogicalOperator, "exprs"));
  if (filters.data?.length) families.push(combine(filters.data.map(dataCheck), filters.dataLogicalOperator, "data"));
  if (filters.context) families.push(contextCheck(filters.context));
  if (filters.time) families.push(timeCheck(filters.time));
  return combine(families, dependency.filtersLogicalOperator, "filters");
}

/** With `or`, one pass is enough, whatever went wrong in the others; the first reason is the one shown. */
function combine(checks: readonly Check[], operator: LogicalOperator | undefined, field: string): Check {
  if (operator !== undefined && operator !== "" && operator !== "and" && operator !== "or") {
    throw new InvalidArgumentError(`${field} operator`, `"${operator}" is neither and nor or`);
  }
  const safe = checks.map(
    (check): Check =>
      (event) => {
        try {
          return check(event);
        } catch (error) {
          return messageOf(error);
        }
      },
  );
  if (checks.length === 0) return () => undefined;
  if (operator === "or") {
    return (event) => {
      let reason: string | undefined;
      for (const check of safe) {
        const problem = check(event);
        if (problem === undefined) return undefined;
        reason ??= problem;
      }
      return reason;
    };
  }
  return (event) => {
    for (const check of safe) {
      const problem = check(event);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

const numberTests: Record<string, (value: number, wanted: number) => boolean> = {
  ">=": (value, wanted) => value >= wanted,
  ">": (value, wanted) => value > wanted,
  "=": (value, wanted) => value === wanted,
  "!=": (value, wanted) => value !== wanted,
  "<": (value, wanted) => value < wanted,
  "<=": (value, wanted) => value <= wanted,
};

function dataCheck(filter: DataFilter): Check {
  const { path, value: wanted } = filter;
  const comparator = filter.comparator || "=";
  const template = filter.template ? compileTemplate(filter.template) : undefined;
  if (!Array.isArray(wanted) || wanted.length === 0)
    throw new InvalidArgumentError(`data ${path}`, "value has no entry");
  const test = valueTest(filter, comparator, wanted);
  return (event) => {
    const found = getPath(event.data, path);
    if (found === undefined) return `data ${path} is not in the event`;
    const value = template ? template(found) : found;
    return test(value)
      ? undefined
      : `data ${path} is not ${comparator === "=" ? "" : `${comparator} `}${wanted.join(" or ")}`;
  };
}

function valueTest(
  { type, path }: DataFilter,
  comparator: string,
  wanted: readonly string[],
): (value: unknown) => boolean {
  const equality = comparator === "=" || comparator === "!=";
  if (type === "string") {
    if (!equality) throw new InvalidArgumentError(`data ${path}`, `comparator ${comparator} does not fit type string`);
    const expressions = wanted.map((text) => {
      try {
        return RE2JS.compile(text);
      } catch (error) {
        throw new InvalidArgumentError(`data ${path}`, `"${text}" is not a regular expression: ${messageOf(error)}`);
      }
    });
    const anyMatch = (value: unknown) => expressions.some((expression) => expression.matcher(asText(value)).find());
    // "!=" with several values means none of them; the original's "any differs" was nearly always true.
    return comparator === "=" ? anyMatch : (value) => !anyMatch(value);
  }
  if (type === "number") {
    const test = numberTests[comparator];
    if (!test) throw new InvalidArgumentError(`data ${path}`, `comparator "${comparator}" is not known`);
    const numbers = wanted.map((text) => {
      const number = Number(text);
      if (text.trim() === "" || Number.isNaN(number))
        throw new InvalidArgumentError(`data ${path}`, `"${text}" is not a number`);
      return number;
    });
    return (value) => {
      const number = typeof value === "number" ? value : Number(asText(value) || Number.NaN);
      if (Number.isNaN(number)) return false;
      return comparator === "!="
        ? numbers.every((wanted) => test(number, wanted))
        : numbers.some((wanted) => test(number, wanted));
    };
  }
  if (type === "bool") {
    if (!equality) throw new InvalidArgumentError(`data ${path}`, `comparator ${comparator} does not fit type bool`);
    const flags = wanted.map((text) => {
      if (text !== "true" && text !== "false")
        throw new InvalidArgumentError(`data ${path}`, `"${text}" is not a bool`);
      return text;
    });
    return (value) => {
      const text = asText(value);
      if (text !== "true" && text !== "false") return false;
      return comparator === "=" ? flags.includes(text) : !flags.includes(text);
    };
  }
  throw new InvalidArgumentError(`data ${path}`, `type "${type}" is not one of bool, number, string`);
}

function exprCheck({ expr, fields }: NonNullable<DependencyFilter["exprs"]>[number]): Check {
  const run = compileGovaluate(expr);
  return (event) => {
    const env: Record<string, unknown> = {};
    for (const { path, name } of fields ?? []) {
      const value = getPath(event.data, path);
      if (value === undefined) return `data ${path} is not in the event`;
      env[name] = value;
    }
    const result = run(env);
    if (typeof result !== "boolean") return `expression "${expr}" did not give a boolean`;
    return result ? undefined : `expression "${expr}" is false`;
  };
}

const comparedContext = ["type", "subject", "source", "datacontenttype"] as const;

function contextCheck(wanted: Record<string, unknown>): Check {
  for (const [name, value] of Object.entries(wanted)) {
    if (value === "" || value === null) continue;
    if (!comparedContext.includes(name as (typeof comparedContext)[number])) {
      throw new UnimplementedError(`filters.context.${name}`);
    }
  }
  return (event) => {
    const context = contextOf(event);
    const different = comparedContext.find((name) => wanted[name] && wanted[name] !== context[name]);
    return different ? `context ${different} is not ${wanted[different]}` : undefined;
  };
}

function seconds(text: string, field: string): number {
  const found = /^([01]\d|2[0-3]):([0-5]\d):([0-5]\d)$/.exec(text);
  if (!found) throw new InvalidArgumentError(`filters.time.${field}`, `"${text}" is not HH:MM:SS`);
  return Number(found[1]) * 3600 + Number(found[2]) * 60 + Number(found[3]);
}

function timeCheck({ start, stop, timezone }: NonNullable<DependencyFilter["time"]>): Check {
  const [from, to] = [seconds(start, "start"), seconds(stop, "stop")];
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", hourCycle: "h23", timeZone: timezone || "UTC" });
  } catch (error) {
    throw new InvalidArgumentError("filters.time.timezone", messageOf(error));
  }
  // Start belongs to the window, stop does not; a stop before the start is on the next day.
  const inside = (at: number) => (from <= to ? at >= from && at < to : at >= from || at < to);
  return (event) =>
    inside(seconds(format.format(event.time), "event"))
      ? undefined
      : `the event is outside ${start} to ${stop}${timezone ? ` ${timezone}` : ""}`;
}
