import { InvalidArgumentError } from "@tiphys/errors";
import type { ImageRule, Kustomization, LabelRule, PatchEntry, ReplicaRule } from "@tiphys/kustomize";
import type { KustomizeSource } from "@tiphys/resources";

/** What is the same as `*` in an image of the kustomization stays. */
const SAME = "*";
const TAGGED = /^(.*):([a-zA-Z0-9._-]*|\*)$/s;

/** `name=newName:tag@digest` and its shorter forms, as `kustomize edit set image` reads them. */
export function parseImage(text: string): ImageRule & { readonly name: string } {
  const sign = text.indexOf("=");
  if (sign < 0) {
    const { name, ...rest } = reference(text);
    if (Object.keys(rest).length === 0) {
      throw new InvalidArgumentError(
        "spec.source.kustomize.images",
        `"${text}" is no image: write name:tag, name@digest or name=new-name[:tag|@digest]`,
      );
    }
    return { name, ...rest };
  }
  const { name: newName, ...rest } = reference(text.slice(sign + 1));
  return { name: text.slice(0, sign), newName, ...rest };
}

function reference(text: string): { readonly name: string; readonly newTag?: string; readonly digest?: string } {
  const at = text.indexOf("@");
  if (at >= 0) return { name: text.slice(0, at), digest: text.slice(at + 1) };
  const tagged = TAGGED.exec(text);
  return tagged ? { name: tagged[1] as string, newTag: tagged[2] as string } : { name: text };
}

const byName = (a: { readonly name?: string }, b: { readonly name?: string }): number =>
  (a.name ?? "") < (b.name ?? "") ? -1 : 1;

function withImages(images: readonly ImageRule[], given: readonly string[]): ImageRule[] {
  const rules = new Map(given.map((text) => parseImage(text)).map((rule) => [rule.name, rule as ImageRule]));
  const kept = (value: string | undefined, before: string | undefined) => (value === SAME ? (before ?? "") : value);
  for (const before of images) {
    const name = before.name ?? "";
    const rule = rules.get(name);
    rules.set(name, rule ? settled(rule, before) : before);
  }
  function settled(rule: ImageRule, before: ImageRule | undefined): ImageRule {
    const entries = (["newName", "newTag", "digest"] as const).map(
      (field) => [field, kept(rule[field], before?.[field])] as const,
    );
    return { name: rule.name ?? "", ...Object.fromEntries(entries.filter(([, value]) => value)) };
  }
  return [...rules.values()].map((rule) => settled(rule, undefined)).sort(byName);
}

function withReplicas(
  replicas: readonly ReplicaRule[],
  given: NonNullable<KustomizeSource["replicas"]>,
): ReplicaRule[] {
  const rules = new Map(replicas.map((rule) => [rule.name ?? "", rule]));
  for (const { name, count } of given) {
    const number = typeof count === "number" ? count : /^\d+$/.test(count) ? Number(count) : Number.NaN;
    if (!Number.isSafeInteger(number) || number < 0) {
      throw new InvalidArgumentError(
        "spec.source.kustomize.replicas",
        `count ${JSON.stringify(count)} of ${name} is no whole number`,
      );
    }
    rules.set(name, { name, count: number });
  }
  return [...rules.values()].sort(byName);
}

/** Entries over those that are there; another value for one of those needs `force`. */
function withEntries(
  kind: string,
  before: Readonly<Record<string, string>>,
  given: Readonly<Record<string, string>>,
  force: boolean,
): Record<string, string> {
  for (const key of Object.keys(given)) {
    if (!force && Object.hasOwn(before, key)) {
      throw new InvalidArgumentError(
        `spec.source.kustomize.common${kind === "label" ? "Labels" : "Annotations"}`,
        `${kind} ${key} already in kustomization file`,
      );
    }
  }
  return { ...before, ...given };
}

function withLabels(
  kustomization: Kustomization,
  given: Readonly<Record<string, string>>,
  options: KustomizeSource,
): Kustomization {
  const force = options.forceCommonLabels ?? false;
  const templates = options.labelIncludeTemplates ?? false;
  if (!options.labelWithoutSelector) {
    if (templates) {
      throw new InvalidArgumentError(
        "spec.source.kustomize.labelIncludeTemplates",
        "labelWithoutSelector must be set for labelIncludeTemplates to work",
      );
    }
    return { ...kustomization, commonLabels: withEntries("label", kustomization.commonLabels, given, force) };
  }
  const at = kustomization.labels.findIndex(
    (rule) => !rule.includeSelectors && (rule.includeTemplates ?? false) === templates && !rule.fields?.length,
  );
  const rule: LabelRule = kustomization.labels[at] ?? { includeSelectors: false, includeTemplates: templates };
  const changed = { ...rule, pairs: withEntries("label", rule.pairs ?? {}, given, force) };
  const labels = at < 0 ? [...kustomization.labels, changed] : kustomization.labels.with(at, changed);
  return { ...kustomization, labels };
}

/**
 * What `spec.source.kustomize` makes of a kustomization, as the chain of `kustomize edit` that Argo CD runs would, without a
 * file being written. `substitute` puts the build environment in, `exists` tells whether a component is there.
 */
export function editKustomization(
  kustomization: Kustomization,
  options: KustomizeSource,
  substitute: (text: string) => string,
  exists: (component: string) => boolean,
): Kustomization {
  let edited: Kustomization = {
    ...kustomization,
    ...(options.namePrefix ? { namePrefix: options.namePrefix } : {}),
    ...(options.nameSuffix ? { nameSuffix: options.nameSuffix } : {}),
    ...(options.namespace ? { namespace: options.namespace } : {}),
  };
  if (options.images?.length) edited = { ...edited, images: withImages(edited.images, options.images.map(substitute)) };
  if (options.replicas?.length) edited = { ...edited, replicas: withReplicas(edited.replicas, options.replicas) };
  const texts = (entries: Readonly<Record<string, string>>, put: boolean) =>
    Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, put ? substitute(value) : value]));
  if (options.commonLabels && Object.keys(options.commonLabels).length > 0) {
    edited = withLabels(edited, texts(options.commonLabels, true), options);
  }
  if (options.commonAnnotations && Object.keys(options.commonAnnotations).length > 0) {
    const given = texts(options.commonAnnotations, options.commonAnnotationsEnvsubst ?? false);
    const force = options.forceCommonAnnotations ?? false;
    edited = { ...edited, commonAnnotations: withEntries("annotation", edited.commonAnnotations, given, force) };
  }
  if (options.patches?.length)
    edited = { ...edited, patches: [...edited.patches, ...(options.patches as PatchEntry[])] };
  if (options.components?.length) {
    const wanted = options.ignoreMissingComponents ? options.components.filter(exists) : options.components;
    const added = wanted.filter((path) => !edited.components.includes(path));
    edited = { ...edited, components: [...edited.components, ...added] };
  }
  return edited;
}
