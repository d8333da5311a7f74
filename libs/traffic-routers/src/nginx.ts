import { deepEqual } from "@tiphys/canonical-json";
import { changeAnnotations, changeOf } from "@tiphys/identity";
import {
  controllerOf,
  controllerRef,
  type KubeObject,
  type NginxTrafficRouting,
  type Rollout,
  types,
} from "@tiphys/resources";
import type { RouterWrite, TrafficRouter } from "@tiphys/rollout";

const DEFAULT_PREFIX = "nginx.ingress.kubernetes.io";
const CLASS_ANNOTATION = "kubernetes.io/ingress.class";
const LONGEST_NAME = 253;

const routing = (rollout: Rollout): NginxTrafficRouting => rollout.spec.strategy?.canary?.trafficRouting?.nginx ?? {};

const stableNames = (rollout: Rollout): readonly string[] => {
  const { stableIngress, stableIngresses } = routing(rollout);
  return stableIngress ? [stableIngress] : (stableIngresses ?? []);
};

/** Name of the canary Ingress that goes with a stable one. */
export const canaryIngressName = (rollout: Rollout, stableIngress: string): string =>
  `${rollout.metadata.name}-${stableIngress}-canary`.slice(0, LONGEST_NAME);

interface Backend {
  service?: { name?: string };
}
interface Path {
  backend?: Backend;
}
interface Rule {
  http?: { paths?: Path[] };
}

/** The rules of the stable Ingress that lead to the stable Service, leading to the canary Service instead. */
function canaryRules(stable: KubeObject, from: string, to: string): object[] {
  const rules = (stable["spec"]?.rules ?? []) as Rule[];
  return rules.flatMap((rule) => {
    const paths = (rule.http?.paths ?? []).flatMap((path) =>
      path.backend?.service?.name === from
        ? [{ ...path, backend: { ...path.backend, service: { ...path.backend.service, name: to } } }]
        : [],
    );
    return paths.length > 0 ? [{ ...rule, http: { ...rule.http, paths } }] : [];
  });
}

/** The Ingress that sends `weight` of the stable Ingress' requests to the canary Service. */
export function nginxCanaryIngress(rollout: Rollout, stableIngress: KubeObject, weight: number): KubeObject {
  const {
    annotationPrefix = DEFAULT_PREFIX,
    additionalIngressAnnotations = {},
    canaryIngressAnnotations = {},
  } = routing(rollout);
  const canary = rollout.spec.strategy?.canary ?? {};
  const most = canary.trafficRouting?.maxTrafficWeight;
  const annotations: Record<string, string> = { ...changeAnnotations(changeOf(rollout)) };
  const className = stableIngress.metadata.annotations?.[CLASS_ANNOTATION];
  if (className) annotations[CLASS_ANNOTATION] = className;
  for (const [key, value] of Object.entries(additionalIngressAnnotations)) {
    annotations[key.startsWith(`${annotationPrefix}/`) ? key : `${annotationPrefix}/${key}`] = value;
  }
  Object.assign(annotations, canaryIngressAnnotations);
  annotations[`${annotationPrefix}/canary`] = "true";
  annotations[`${annotationPrefix}/canary-weight`] = String(weight);
  if (most !== undefined) annotations[`${annotationPrefix}/canary-weight-total`] = String(most);
  const { ingressClassName, tls } = stableIngress["spec"] ?? {};
  const namespace = rollout.metadata.namespace;
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      name: canaryIngressName(rollout, stableIngress.metadata.name),
      ...(namespace ? { namespace } : {}),
      annotations,
      ownerReferences: [controllerRef(rollout)],
    },
    spec: {
      ...(ingressClassName ? { ingressClassName } : {}),
      ...(tls ? { tls } : {}),
      rules: canaryRules(stableIngress, canary.stableService ?? "", canary.canaryService ?? ""),
    },
  };
}

const keyOf = (name: string) => `ingresses/${name}`;
const field = "spec.strategy.canary.trafficRouting.nginx";

/** Ingress-NGINX, and everything that reads its canary annotations. */
export const nginxRouter: TrafficRouter = {
  name: "nginx",
  wanted: (rollout) => rollout.spec.strategy?.canary?.trafficRouting?.nginx !== undefined,
  objects: (rollout) =>
    stableNames(rollout).flatMap((name) => [
      { type: types.ingresses, name },
      { type: types.ingresses, name: canaryIngressName(rollout, name) },
    ]),
  problems(rollout, objects) {
    const stableService = rollout.spec.strategy?.canary?.stableService ?? "";
    return stableNames(rollout).flatMap((name) => {
      const stable = objects[keyOf(name)];
      if (!stable) return [{ field: `${field}.stableIngress`, problem: `ingress "${name}" not found` }];
      if (canaryRules(stable, stableService, "").length === 0) {
        const problem = `ingress "${name}" has no rule with the service "${stableService}"`;
        return [{ field: `${field}.stableIngress`, problem }];
      }
      const live = objects[keyOf(canaryIngressName(rollout, name))];
      if (live && controllerOf(live)?.uid !== rollout.metadata.uid) {
        const problem = `ingress "${live.metadata.name}" exists already and does not belong to this Rollout`;
        return [{ field: `${field}.stableIngress`, problem }];
      }
      return [];
    });
  },
  writes(rollout, objects, weight) {
    return stableNames(rollout).flatMap((name): RouterWrite[] => {
      const stable = objects[keyOf(name)];
      if (!stable) return [];
      const wanted = nginxCanaryIngress(rollout, stable, weight);
      const live = objects[keyOf(wanted.metadata.name)];
      if (!live) return [{ verb: "create", type: types.ingresses, object: wanted }];
      const body = difference(live, wanted);
      return body ? [{ verb: "merge", type: types.ingresses, name: live.metadata.name, body }] : [];
    });
  },
};

/** The change id alone is no reason to write: an Ingress keeps that of the change that last moved it. */
const isOwn = (key: string) => key.startsWith("tiphys.dev/");

function difference(live: KubeObject, wanted: KubeObject): object | undefined {
  const have = live.metadata.annotations ?? {};
  const want = wanted.metadata.annotations ?? {};
  const annotations = Object.fromEntries(Object.entries(want).filter(([key, value]) => have[key] !== value));
  const sameSpec = deepEqual(withoutDefaults(live["spec"]), withoutDefaults(wanted["spec"]));
  if (sameSpec && Object.keys(annotations).every(isOwn)) return undefined;
  return {
    ...(Object.keys(annotations).length > 0 ? { metadata: { annotations } } : {}),
    ...(sameSpec ? {} : { spec: wanted["spec"] }),
  };
}

const withoutDefaults = (spec: Record<string, unknown> | undefined) => ({
  ingressClassName: spec?.["ingressClassName"],
  tls: spec?.["tls"],
  rules: spec?.["rules"],
});
