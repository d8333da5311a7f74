import type { KubeObject } from "@tiphys/resources";
import { MOUNTED_TOKEN_SECONDS } from "./tokens.js";

const MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME = "kube-api-access-";
const MIRROR = "kubernetes.io/config.mirror";
const ENFORCE = "kubernetes.io/enforce-mountable-secrets";

interface Container {
  readonly name: string;
  volumeMounts?: { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly env?: readonly { readonly name: string; readonly valueFrom?: { secretKeyRef?: { name: string } } }[];
  readonly envFrom?: readonly { readonly secretRef?: { name: string } }[];
}

/**
 * What the admission of a new pod does for its service account: names it, mounts its token where nothing else is mounted,
 * gives it its pull secrets. Changes `pod`; a text is why the pod is refused. `volumeName` completes a name's beginning.
 */
export function admitPodOfAccount(
  pod: KubeObject,
  find: (name: string) => KubeObject | undefined,
  volumeName: (base: string) => string,
): string | undefined {
  const spec = pod["spec"];
  if (pod.metadata.annotations?.[MIRROR] !== undefined) return mirrorProblem(spec);
  spec.serviceAccountName ||= "default";
  const name: string = spec.serviceAccountName;
  const account = find(name);
  if (!account) {
    const where = `${pod.metadata.namespace ?? ""}/${name}`;
    return `error looking up service account ${where}: serviceaccount ${JSON.stringify(name)} not found`;
  }
  const automount = spec.automountServiceAccountToken ?? account["automountServiceAccountToken"] ?? true;
  if (automount) mountToken(spec, volumeName);
  if (!spec.imagePullSecrets?.length) {
    const secrets = (account["imagePullSecrets"] ?? []) as { name: string }[];
    if (secrets.length > 0) spec.imagePullSecrets = secrets.map((secret) => ({ name: secret.name }));
  }
  return account.metadata.annotations?.[ENFORCE] === "true" ? secretProblem(account, spec) : undefined;
}

function mountToken(spec: KubeObject["spec"], volumeName: (base: string) => string): void {
  const volumes = (spec.volumes ?? []) as { name: string }[];
  const existing = volumes.find(({ name }) => name.startsWith(VOLUME))?.name;
  const name = existing ?? volumeName(VOLUME);
  let needed = false;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])] as Container[]) {
    const mounts = container.volumeMounts ?? [];
    if (mounts.some(({ mountPath }) => mountPath === MOUNT_PATH)) continue;
    container.volumeMounts = [...mounts, { name, readOnly: true, mountPath: MOUNT_PATH }];
    needed = true;
  }
  if (existing === undefined && needed) spec.volumes = [...volumes, { name, projected: tokenVolume() }];
}

const tokenVolume = () => ({
  defaultMode: 0o644,
  sources: [
    { serviceAccountToken: { expirationSeconds: MOUNTED_TOKEN_SECONDS, path: "token" } },
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
    {
      downwardAPI: {
        items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
      },
    },
  ],
});

function mirrorProblem(spec: KubeObject["spec"]): string | undefined {
  if (spec.serviceAccountName) return "a mirror pod may not reference service accounts";
  const volumes = (spec.volumes ?? []) as {
    secret?: object;
    projected?: { sources?: { serviceAccountToken?: object }[] };
  }[];
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])] as Container[];
  const hasSecrets =
    volumes.some(({ secret }) => secret) ||
    (spec.imagePullSecrets ?? []).length > 0 ||
    containers.some(
      ({ env = [], envFrom = [] }) =>
        env.some(({ valueFrom }) => valueFrom?.secretKeyRef) || envFrom.some(({ secretRef }) => secretRef),
    );
  if (hasSecrets) return "a mirror pod may not reference secrets";
  if (volumes.some(({ projected }) => projected?.sources?.some((source) => source.serviceAccountToken))) {
    return "a mirror pod may not use ServiceAccountToken volume projections";
  }
  return undefined;
}

/** Accounts that ask for it limit their pods to the Secrets they list. */
function secretProblem(account: KubeObject, spec: KubeObject["spec"]): string | undefined {
  const listed = new Set(((account["secrets"] ?? []) as { name: string }[]).map(({ name }) => name));
  const by = account.metadata.name;
  const reason = `is not allowed because service account ${by} does not reference that secret`;
  for (const { secret } of (spec.volumes ?? []) as { secret?: { secretName: string } }[]) {
    if (secret && !listed.has(secret.secretName))
      return `volume with secret.secretName="${secret.secretName}" ${reason}`;
  }
  for (const [word, containers] of [
    ["init container", spec.initContainers ?? []],
    ["container", spec.containers ?? []],
  ] as [string, Container[]][]) {
    for (const { name, env = [], envFrom = [] } of containers) {
      for (const { name: variable, valueFrom } of env) {
        const secret = valueFrom?.secretKeyRef?.name;
        if (secret !== undefined && !listed.has(secret)) {
          return `${word} ${name} with envVar ${variable} referencing secret.secretName="${secret}" ${reason}`;
        }
      }
      for (const { secretRef } of envFrom) {
        if (secretRef && !listed.has(secretRef.name)) {
          return `${word} ${name} with envFrom referencing secret.secretName="${secretRef.name}" ${reason}`;
        }
      }
    }
  }
  const pull = new Set(((account["imagePullSecrets"] ?? []) as { name: string }[]).map(({ name }) => name));
  for (const [at, { name }] of ((spec.imagePullSecrets ?? []) as { name: string }[]).entries()) {
    if (!pull.has(name)) {
      return `imagePullSecrets[${at}].name="${name}" is not allowed because service account ${by} does not reference that imagePullSecret`;
    }
  }
  return undefined;
}
