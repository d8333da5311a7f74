import { groupVersionOf, type KubeObject } from "@tiphys/resources";

export const TRACKING_ANNOTATION = "argocd.argoproj.io/tracking-id";
/** Field manager of everything a sync writes, as Argo CD's. */
export const FIELD_MANAGER = "argocd-controller";

/** `app:group/Kind:namespace/name` */
export function trackingId(app: string, object: KubeObject): string {
  const { group } = groupVersionOf(object.apiVersion);
  return `${app}:${group}/${object.kind}:${object.metadata.namespace ?? ""}/${object.metadata.name}`;
}

/**
 * The application that an object says it belongs to. An id that names another object is ignored: controllers copy
 * annotations to what they create.
 */
export function trackedBy(object: KubeObject, destinationNamespace?: string): string | undefined {
  const id = object.metadata.annotations?.[TRACKING_ANNOTATION];
  if (!id) return undefined;
  const app = id.slice(0, id.indexOf(":"));
  if (id === trackingId(app, object)) return app;
  // Argo CD writes the application's namespace into the ids of cluster-scoped objects.
  if (object.metadata.namespace) return undefined;
  const { group } = groupVersionOf(object.apiVersion);
  const [, kind, place = ""] = id.split(":");
  const fits = kind === `${group}/${object.kind}` && place.endsWith(`/${object.metadata.name}`);
  return fits && (destinationNamespace === undefined || place === `${destinationNamespace}/${object.metadata.name}`)
    ? app
    : undefined;
}
