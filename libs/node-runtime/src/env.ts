import { cpus, totalmem } from "node:os";
import type { KubeObject } from "@tiphys/resources";
import { fieldOf } from "./field-ref.js";
import { quantity } from "./quantity.js";

/** How the environment's sources are read; undefined is "not there". */
export interface EnvSources {
  configMap(name: string): Promise<KubeObject | undefined>;
  secret(name: string): Promise<KubeObject | undefined>;
}

/** A container cannot be configured yet: what it refers to is missing or not supported. */
export class ContainerConfigError extends Error {
  override readonly name = "ContainerConfigError";
}

export const decodeSecret = (value: string): Buffer => Buffer.from(value, "base64");

const NAME = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;

// biome-ignore lint/suspicious/noExplicitAny: containers as the API gives them
type Container = Record<string, any>;

/** The environment that the spec of `container` asks for; later entries may use earlier ones as `$(NAME)`. */
export async function containerEnv(
  pod: KubeObject,
  container: Container,
  base: Readonly<Record<string, string>>,
  sources: EnvSources,
  podFacts: { podIP: string; hostIP: string },
): Promise<Record<string, string>> {
  const env: Record<string, string> = { ...base };
  for (const from of container["envFrom"] ?? []) {
    const prefix: string = from.prefix ?? "";
    const ref = from.configMapRef ?? from.secretRef;
    const secret = from.secretRef !== undefined;
    const object = secret ? await sources.secret(ref.name) : await sources.configMap(ref.name);
    if (!object) {
      if (ref.optional) continue;
      throw new ContainerConfigError(`${secret ? "secret" : "configmap"} "${ref.name}" not found`);
    }
    for (const [key, value] of Object.entries<string>(object["data"] ?? {})) {
      if (NAME.test(prefix + key)) env[prefix + key] = secret ? decodeSecret(value).toString("utf8") : value;
    }
  }
  for (const item of container["env"] ?? []) {
    const value = await envValue(pod, container, item, env, sources, podFacts);
    if (value !== undefined) env[item.name] = value;
  }
  return env;
}

async function envValue(
  pod: KubeObject,
  container: Container,
  item: Container,
  env: Record<string, string>,
  sources: EnvSources,
  podFacts: { podIP: string; hostIP: string },
): Promise<string | undefined> {
  const from = item["valueFrom"];
  if (!from) return expand(item["value"] ?? "", env);
  if (from.fieldRef) return fieldOf(pod, from.fieldRef.fieldPath, podFacts);
  if (from.resourceFieldRef) return resourceOf(container, from.resourceFieldRef);
  const secret = from.secretKeyRef !== undefined;
  const ref = from.secretKeyRef ?? from.configMapKeyRef;
  if (!ref) {
    throw new ContainerConfigError(
      `env ${item["name"]}: valueFrom.${Object.keys(from)[0] ?? "(empty)"} is not supported by this node`,
    );
  }
  const kind = secret ? "secret" : "configmap";
  const object = secret ? await sources.secret(ref.name) : await sources.configMap(ref.name);
  const value = object?.["data"]?.[ref.key] as string | undefined;
  if (value === undefined) {
    if (ref.optional) return undefined;
    throw new ContainerConfigError(
      object
        ? `couldn't find key ${ref.key} in ${kind} ${pod.metadata.namespace}/${ref.name}`
        : `${kind} "${ref.name}" not found`,
    );
  }
  return secret ? decodeSecret(value).toString("utf8") : value;
}

/** `$(NAME)` becomes the variable's value, `$$(NAME)` stays as `$(NAME)`, unknown names stay as they are. */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([^()]+)\)/g, (whole, name: string | undefined) =>
    name === undefined ? "$" : (env[name] ?? whole),
  );
}

/** A container's request or limit as a number of `divisor`s; an absent limit is what the node has. */
export function resourceOf(container: Container, ref: { resource: string; divisor?: string }): string {
  const [group, name] = ref.resource.split(".");
  const own = container["resources"]?.[group ?? ""]?.[name ?? ""];
  const value = own ?? (group === "limits" ? { cpu: cpus().length, memory: totalmem() }[name ?? ""] : undefined);
  const divisor = quantity(ref.divisor ?? "1") || 1;
  return String(Math.ceil(quantity(value) / divisor));
}
