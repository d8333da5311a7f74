import { InvalidArgumentError } from "@tiphys/errors";
import type { AnalysisArg, Metric, Rollout } from "@tiphys/resources";

/** A value at a path such as `metadata.labels['app']` or `status.stableRS`; undefined when there is none. */
export function fieldAt(object: unknown, path: string): unknown {
  let here: unknown = object;
  for (const [, quoted, plain] of path.matchAll(/\['([^']*)'\]|([^.[\]]+)/g)) {
    const name = quoted ?? plain;
    if (name === undefined || here === null || typeof here !== "object" || !Object.hasOwn(here, name)) return undefined;
    here = (here as Record<string, unknown>)[name];
  }
  return here;
}

/** What `podTemplateHashValue` stands for. */
export interface PodHashes {
  readonly latest: string;
  readonly stable: string;
}

/** The Rollout's args with `podTemplateHashValue` and `fieldRef` replaced by values; Secret references stay. */
export function resolveRolloutArgs(
  args: readonly AnalysisArg[],
  rollout: Rollout,
  hashes: PodHashes,
  path: string,
): AnalysisArg[] {
  return args.map((arg, index) => {
    const from = arg.valueFrom;
    if (!from) return arg;
    if (from.podTemplateHashValue) {
      return { name: arg.name, value: from.podTemplateHashValue === "Stable" ? hashes.stable : hashes.latest };
    }
    if (from.fieldRef) {
      const value = fieldAt(rollout, from.fieldRef.fieldPath);
      if (value === undefined || value === null || typeof value === "object") {
        throw new InvalidArgumentError(
          `${path}[${index}].valueFrom.fieldRef.fieldPath`,
          `"${from.fieldRef.fieldPath}" is no value of the Rollout; give args.${arg.name} a path that exists`,
        );
      }
      return { name: arg.name, value: String(value) };
    }
    return arg;
  });
}

/** The template's args with the given values laid over them. Given args that no template declares are dropped. */
export function mergeArgs(declared: readonly AnalysisArg[], given: readonly AnalysisArg[]): AnalysisArg[] {
  const values = new Map(given.map((arg) => [arg.name, arg]));
  return declared.map((arg) => {
    const value = values.get(arg.name);
    if (value && (value.value !== undefined || value.valueFrom)) return value;
    if (arg.value === undefined && !arg.valueFrom) {
      throw new InvalidArgumentError(`args.${arg.name}`, "has no value: give one where the template is used");
    }
    return arg;
  });
}

const TAG = /\{\{\s*args\.([^{}\s]+)\s*\}\}/g;

/** Names of the args that a metric uses. */
export function argsUsed(metric: Metric): string[] {
  return [...new Set([...JSON.stringify(metric).matchAll(TAG)].map((match) => match[1] as string))];
}

/** A metric with `{{args.x}}` replaced by values, in every text but its name. Values are not looked into again. */
export function substituteArgs(metric: Metric, values: Readonly<Record<string, string>>): Metric {
  const walk = (value: unknown, path: string): unknown => {
    if (typeof value === "string") {
      return value.replace(TAG, (_tag, name: string) => {
        const given = Object.hasOwn(values, name) ? values[name] : undefined;
        if (given === undefined) throw new InvalidArgumentError(path, `uses args.${name}, which is not declared`);
        return given;
      });
    }
    if (Array.isArray(value)) return value.map((item, index) => walk(item, `${path}[${index}]`));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, walk(member, `${path}.${key}`)]));
  };
  const { name, ...rest } = metric;
  return { name, ...(walk(rest, `metrics.${name}`) as Omit<Metric, "name">) };
}
