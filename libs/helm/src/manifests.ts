import { messageOf } from "@tiphys/errors";
import { basePath, compareStrings, trimSpace } from "@tiphys/template";
import { parseYamlDocuments } from "@tiphys/yaml";
import { ChartError } from "./errors.js";
import { scalarText } from "./yaml.js";

/** One rendered document. */
export interface Manifest {
  /** `chart/templates/deployment.yaml`. */
  readonly path: string;
  readonly text: string;
  /** The object; null for a document of comments alone. */
  readonly object: Readonly<Record<string, unknown>> | null;
}

export interface Hook extends Manifest {
  readonly name: string;
  readonly kind: string;
  /** `pre-install`, `test`, …: without the prefix of the annotation. */
  readonly events: readonly string[];
  readonly weight: number;
  readonly deletePolicies: readonly string[];
  readonly outputLogPolicies: readonly string[];
}

/** The order in which Helm installs kinds; others come last, by name. */
const installOrder = new Map(
  (
    "PriorityClass Namespace NetworkPolicy ResourceQuota LimitRange PodSecurityPolicy PodDisruptionBudget ServiceAccount Secret " +
    "SecretList ConfigMap StorageClass PersistentVolume PersistentVolumeClaim CustomResourceDefinition ClusterRole ClusterRoleList " +
    "ClusterRoleBinding ClusterRoleBindingList Role RoleList RoleBinding RoleBindingList Service DaemonSet Pod " +
    "ReplicationController ReplicaSet Deployment HorizontalPodAutoscaler StatefulSet Job CronJob IngressClass Ingress APIService " +
    "MutatingWebhookConfiguration ValidatingWebhookConfiguration"
  )
    .split(" ")
    .map((kind, index) => [kind, index] as const),
);

const events = new Set([
  "pre-install",
  "post-install",
  "pre-delete",
  "post-delete",
  "pre-upgrade",
  "post-upgrade",
  "pre-rollback",
  "post-rollback",
  "test",
  "test-success",
]);

function byKind(a: string, b: string): number {
  const [first, second] = [installOrder.get(a), installOrder.get(b)];
  if (first === undefined && second === undefined) return compareStrings(a, b);
  if (first === undefined) return 1;
  return second === undefined ? -1 : first - second;
}

/** Cuts a rendered file into its documents, as Helm does: at every line that starts with `---`. */
export function splitManifests(text: string): string[] {
  return trimSpace(text)
    .split(/(?:^|\s*\n)---\s*/)
    .filter((part) => part !== "")
    .map(trimSpace);
}

interface Head {
  readonly kind: string;
  readonly name: string;
  readonly annotations: ReadonlyMap<string, string>;
}

const goType = (value: unknown) =>
  Array.isArray(value)
    ? "array"
    : typeof value === "object"
      ? "object"
      : typeof value === "boolean"
        ? "bool"
        : typeof value;

/** The part of a document that Helm reads itself. Throws an Error when it has another shape. */
function headOf(value: unknown): Head {
  const fail = (given: unknown, where: string, type: string): never => {
    throw new Error(
      `error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${goType(given)} into Go ${where} of type ${type}`,
    );
  };
  if (value === null || value === undefined) return { kind: "", name: "", annotations: new Map() };
  if (typeof value !== "object" || Array.isArray(value)) return fail(value, "value", "util.SimpleHead");
  const object = value as Record<string, unknown>;
  const field = (given: unknown, path: string): string =>
    scalarText(given) ?? fail(given, `struct field ${path}`, "string");
  field(object["apiVersion"], "SimpleHead.apiVersion");
  const kind = field(object["kind"], "SimpleHead.kind");
  const metadata = object["metadata"];
  if (metadata === null || metadata === undefined) return { kind, name: "", annotations: new Map() };
  if (typeof metadata !== "object" || Array.isArray(metadata)) {
    return fail(
      metadata,
      "struct field SimpleHead.metadata",
      'struct { Name string "json:\\"name\\""; Annotations map[string]string "json:\\"annotations\\"" }',
    );
  }
  const { name, annotations } = metadata as Record<string, unknown>;
  const pairs = new Map<string, string>();
  if (annotations !== null && annotations !== undefined) {
    if (typeof annotations !== "object" || Array.isArray(annotations))
      return fail(annotations, "struct field .metadata.annotations", "map[string]string");
    for (const [key, each] of Object.entries(annotations)) pairs.set(key, field(each, ".metadata.annotations"));
  }
  return { kind, name: field(name, ".metadata.name"), annotations: pairs };
}

const listed = (text: string | undefined): string[] =>
  text === undefined ? [] : text.split(",").map((part) => trimSpace(part).toLowerCase());

const parseDocument = (text: string): unknown => parseYamlDocuments(text)[0]?.value ?? null;

/** Objects and hooks of rendered files, each in the order in which Helm installs them. Throws a {@link ChartError}. */
export function sortManifests(files: ReadonlyMap<string, string>): {
  readonly manifests: Manifest[];
  readonly hooks: Hook[];
} {
  const manifests: (Manifest & { readonly kind: string })[] = [];
  const hooks: Hook[] = [];
  for (const path of [...files.keys()].sort(compareStrings)) {
    const content = files.get(path)!;
    if (basePath(path).startsWith("_") || trimSpace(content) === "") continue;
    for (const text of splitManifests(content)) {
      let object: unknown;
      let head: Head;
      try {
        object = parseDocument(text);
        head = headOf(object);
      } catch (error) {
        throw new ChartError(`YAML parse error on ${path}: ${yamlProblem(messageOf(error))}`, { cause: error });
      }
      const entry = { path, text, object: object as Readonly<Record<string, unknown>> | null };
      const hook = head.annotations.get("helm.sh/hook");
      if (hook === undefined) {
        manifests.push({ ...entry, kind: head.kind });
        continue;
      }
      const names = listed(hook);
      // A hook of a kind that nobody knows is left out.
      if (names.some((name) => !events.has(name))) continue;
      const weight = head.annotations.get("helm.sh/hook-weight") ?? "";
      hooks.push({
        ...entry,
        name: head.name,
        kind: head.kind,
        events: names.map((name) => (name === "test-success" ? "test" : name)),
        weight: /^[+-]?[0-9]+$/.test(weight) ? Number(weight) : 0,
        deletePolicies: listed(head.annotations.get("helm.sh/hook-delete-policy")),
        outputLogPolicies: listed(head.annotations.get("helm.sh/hook-output-log-policy")),
      });
    }
  }
  hooks.sort((a, b) => byKind(a.kind, b.kind));
  manifests.sort((a, b) => byKind(a.kind, b.kind));
  return { manifests: manifests.map(({ path, text, object }) => ({ path, text, object })), hooks };
}

function yamlProblem(message: string): string {
  const match = /^yaml:(\d+):\d+: ([\s\S]*)$/.exec(message);
  return match ? `error converting YAML to JSON: yaml: line ${match[1]}: ${match[2]}` : message;
}
