import { InvalidArgumentError, UnimplementedError } from "@tiphys/errors";
import type { applicationV1alpha1Source as argo } from "@tiphys/proto";
import type { ApplicationSource } from "@tiphys/resources";

type Plain = Record<string, unknown>;

/** Go sends no empty field, so one that is empty is one that was not given. */
const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === "" ||
  value === false ||
  (Array.isArray(value) && value.length === 0) ||
  (typeof value === "object" && value !== null && !ArrayBuffer.isView(value) && Object.keys(value).length === 0);

const given = (value: object | undefined): Plain =>
  Object.fromEntries(Object.entries(value ?? {}).filter(([, each]) => !isEmpty(each)));

const block = (name: string, value: object | undefined, more: Plain = {}): Plain =>
  value === undefined ? {} : { [name]: { ...given(value), ...given(more) } };

/** A source as Argo CD's messages have it, as an Application has it. */
export function sourceOfMessage(source: argo.ApplicationSource | undefined): ApplicationSource {
  if (!source?.repoURL) throw new InvalidArgumentError("applicationSource.repoURL", "is empty");
  const { helm, kustomize, directory, plugin, ...plain } = source;
  const { jsonnet, ...rest } = directory ?? {};
  return {
    ...given(plain),
    ...block("helm", helm, { parameters: helm?.parameters?.map(given), valuesObject: jsonOf(helm?.valuesObject?.raw) }),
    ...block("kustomize", kustomize, {
      replicas: kustomize?.replicas?.map(({ name, count }) => ({ name, count: numberOrText(count) })),
      patches: kustomize?.patches?.map(({ target, ...patch }) => ({ ...given(patch), ...selector(target) })),
    }),
    ...block("directory", directory && rest, {
      jsonnet: given(jsonnet && { ...jsonnet, extVars: jsonnet.extVars?.map(given), tlas: jsonnet.tlas?.map(given) }),
    }),
    ...block("plugin", plugin),
  } as unknown as ApplicationSource;
}

function jsonOf(raw: Uint8Array | undefined): unknown {
  if (!raw || raw.length === 0) return undefined;
  try {
    return JSON.parse(Buffer.from(raw).toString("utf8"));
  } catch (cause) {
    throw new InvalidArgumentError("applicationSource.helm.valuesObject", "is not JSON", { cause });
  }
}

const numberOrText = (count: argo.IntOrString | undefined): number | string =>
  count?.type ? (count.strVal ?? "") : (count?.intVal ?? 0);

function selector(target: argo.KustomizeSelector | undefined): Plain {
  if (!target) return {};
  const { resId, ...selectors } = target;
  const { gvk, ...names } = resId ?? {};
  return { target: { ...given(gvk), ...given(names), ...given(selectors) } };
}

/** What a request asks for that we cannot do, by the name of its field. */
export function refuse(fields: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (!isEmpty(value)) throw new UnimplementedError(`${name} of repository.RepoServerService`);
  }
}
