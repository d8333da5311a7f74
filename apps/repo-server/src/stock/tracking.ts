import { groupVersionOf, type KubeObject } from "@tiphys/resources";

export interface Tracking {
  /** Name of the application, as it stands in labels and ids; empty: objects are left as they are. */
  readonly app: string;
  /** Of the destination. */
  readonly namespace: string;
  /** Key of the label; empty: objects are left as they are. */
  readonly labelKey: string;
  /** `annotation` (also when empty), `label` or `annotation+label`. */
  readonly method: string;
  readonly installation: string;
}

const ANNOTATION = "argocd.argoproj.io/tracking-id";
const INSTALLATION = "argocd.argoproj.io/installation-id";
/** Longest value of a label. */
const LABEL_LENGTH = 63;

/** Says in an object whose it is, as Argo CD's repo-server does in each that it renders; definitions of kinds are nobody's. */
export function tracked(object: KubeObject, { app, namespace, labelKey, method, installation }: Tracking): KubeObject {
  if (app === "" || labelKey === "" || object.kind === "CustomResourceDefinition") return object;
  const { group } = groupVersionOf(object.apiVersion);
  const { metadata } = object;
  const id = `${app}:${group}/${object.kind}:${metadata.namespace || namespace}/${metadata.name ?? ""}`;
  const byAnnotation = method !== "label";
  const byLabel = method === "label" || method === "annotation+label";
  return {
    ...object,
    metadata: {
      ...metadata,
      ...(byAnnotation
        ? {
            annotations: {
              ...metadata.annotations,
              [ANNOTATION]: id,
              ...(installation ? { [INSTALLATION]: installation } : {}),
            },
          }
        : {}),
      ...(byLabel ? { labels: { ...metadata.labels, [labelKey]: app.slice(0, LABEL_LENGTH) } } : {}),
    },
  };
}
