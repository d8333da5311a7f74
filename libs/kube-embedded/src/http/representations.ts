import { customScalePrinter, scalePrinter } from "@tiphys/kube-schema";
import type { KubeObject } from "@tiphys/resources";
import type { ServedKind } from "../api/kinds.js";
import { TEMPLATE_GENERATION } from "../api/strategy.js";
import { bytesOf } from "../store/store.js";
import type { Representation } from "./negotiation.js";

export interface Shaping {
  readonly kind: ServedKind;
  readonly representation: Representation;
  /** What a Table's rows carry of their objects. */
  readonly includeObject: string;
  readonly now: Date;
}

export interface ListMeta {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remaining?: number;
}

const listMeta = ({ resourceVersion, continue: token, remaining }: ListMeta) => ({
  resourceVersion,
  ...(token ? { continue: token } : {}),
  ...(remaining ? { remainingItemCount: remaining } : {}),
});

const partial = (object: KubeObject) => ({
  kind: "PartialObjectMetadata",
  apiVersion: "meta.k8s.io/v1",
  metadata: object.kind === "DaemonSet" ? withoutTemplateGeneration(object.metadata) : object.metadata,
});

/** Only whole DaemonSets show how often their template has changed: it is a field that their newest version has lost. */
function withoutTemplateGeneration(metadata: KubeObject["metadata"]): KubeObject["metadata"] {
  if (metadata.annotations?.[TEMPLATE_GENERATION] === undefined) return metadata;
  const { [TEMPLATE_GENERATION]: _, ...annotations } = metadata.annotations;
  const { annotations: _all, ...rest } = metadata;
  return Object.keys(annotations).length > 0 ? { ...metadata, annotations } : rest;
}

const apiVersionOf = ({ group, version }: ServedKind) => (group ? `${group}/${version}` : version);

/** One object in the form that was asked for, as JSON text. */
export function objectText(object: KubeObject, shaping: Shaping): string | Buffer {
  const { as } = shaping.representation;
  if (as === "Table") {
    return JSON.stringify(table([object], { resourceVersion: object.metadata.resourceVersion ?? "" }, shaping, true));
  }
  if (as === "PartialObjectMetadata") return JSON.stringify(partial(object));
  return bytesOf(object);
}

/** A list in the form that was asked for, in parts, so that the longest one never stands in memory as one text. */
export function* listText(items: readonly KubeObject[], meta: ListMeta, shaping: Shaping): Generator<string | Buffer> {
  const { kind, representation } = shaping;
  if (representation.as === "Table") {
    yield JSON.stringify(table(items, meta, shaping, true));
    return;
  }
  if (representation.as === "PartialObjectMetadataList" || representation.as === "PartialObjectMetadata") {
    yield JSON.stringify({
      kind: "PartialObjectMetadataList",
      apiVersion: "meta.k8s.io/v1",
      metadata: listMeta(meta),
      items: items.map(partial),
    });
    return;
  }
  // Lists of custom resources always say where they go on, even if nowhere.
  const metadata = kind.crd ? { continue: "", ...listMeta(meta) } : listMeta(meta);
  const head = JSON.stringify({ kind: kind.listKind, apiVersion: apiVersionOf(kind), metadata });
  yield `${head.slice(0, -1)},"items":[`;
  let first = true;
  const type = Buffer.from(`{"kind":"${kind.kind}","apiVersion":"${apiVersionOf(kind)}",`);
  for (const item of items) {
    yield first ? "" : ",";
    first = false;
    if (kind.crd) yield bytesOf(item);
    else yield* withoutType(item, type);
  }
  yield "]}";
}

/** Items of builtin lists do not say their type, which stands first in an object's text. */
function* withoutType(item: KubeObject, type: Buffer): Generator<string | Buffer> {
  const bytes = bytesOf(item);
  if (bytes.length > type.length && bytes.compare(type, 0, type.length, 0, type.length) === 0) {
    yield "{";
    yield bytes.subarray(type.length);
    return;
  }
  const { kind: _, apiVersion: _version, ...rest } = item;
  yield JSON.stringify(rest);
}

export function table(items: readonly KubeObject[], meta: ListMeta, shaping: Shaping, withColumns: boolean): object {
  const { includeObject, now } = shaping;
  const kind = items[0]?.kind === "Scale" ? (shaping.kind.crd ? customScalePrinter : scalePrinter) : shaping.kind;
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: listMeta(meta),
    columnDefinitions: withColumns ? kind.columns : null,
    rows: items.map((object) => ({
      cells: kind.row(object, now),
      object: includeObject === "None" ? null : includeObject === "Object" ? object : partial(object),
    })),
  };
}

/** Lines of whole objects, which all watchers share: most changes are sent to many, and soon after each other. */
const lines = new WeakMap<KubeObject, { readonly type: string; readonly line: Buffer }>();

/** A watch event as one line. */
export function eventLine(type: string, object: KubeObject, shaping: Shaping, first: boolean): Buffer {
  const { as } = shaping.representation;
  if (!as) {
    const known = lines.get(object);
    if (known?.type === type) return known.line;
    const line = Buffer.concat([Buffer.from(`{"type":"${type}","object":`), bytesOf(object), Buffer.from("}\n")]);
    lines.set(object, { type, line });
    return line;
  }
  const head = `{"type":"${type}","object":`;
  if (as === "Table") {
    const shown = table([object], { resourceVersion: object.metadata.resourceVersion ?? "" }, shaping, first);
    return Buffer.from(`${head}${JSON.stringify(shown)}}\n`);
  }
  return Buffer.from(`${head}${JSON.stringify(partial(object))}}\n`);
}

/** An object without anything: what a bookmark's row is made of. */
const nothing = ({ kind, group, version }: ServedKind): KubeObject => ({
  kind,
  apiVersion: group ? `${group}/${version}` : version,
  metadata: { name: "" },
});

export function bookmarkLine(shaping: Shaping, resourceVersion: string, initialEnd: boolean): string {
  const { kind, representation } = shaping;
  const metadata = {
    resourceVersion,
    ...(initialEnd ? { annotations: { "k8s.io/initial-events-end": "true" } } : {}),
  };
  const object =
    representation.as === "Table"
      ? {
          kind: "Table",
          apiVersion: "meta.k8s.io/v1",
          metadata: { resourceVersion },
          columnDefinitions: null,
          rows: [
            {
              cells: kind.row(nothing(kind), shaping.now),
              object: { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata },
            },
          ],
        }
      : representation.as
        ? { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata }
        : { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata };
  return `${JSON.stringify({ type: "BOOKMARK", object })}\n`;
}
