// biome-ignore-all lint/suspicious/noExplicitAny: defaulting walks objects of builtin kinds, decoded against their schemas before

/** Sets a member that is not set yet. */
export function fill(object: any, key: string, value: unknown): void {
  if (object[key] === undefined || object[key] === null) object[key] = value;
}

/** One address and the list of all: either tells the other. */
function fillAddresses(status: any, one: "podIP" | "hostIP"): void {
  const all = `${one}s`;
  if (status[one] && !status[all]?.length) status[all] = [{ ip: status[one] }];
  else if (!status[one] && status[all]?.length) status[one] = status[all][0].ip;
}

/** Defaults of a pod template and its spec. */
export function fillTemplate(template: any): void {
  if (template?.spec) fillPodSpec(template.spec);
}

function fillPodSpec(spec: any): void {
  fill(spec, "dnsPolicy", "ClusterFirst");
  fill(spec, "restartPolicy", "Always");
  fill(spec, "schedulerName", "default-scheduler");
  fill(spec, "securityContext", {});
  fill(spec, "terminationGracePeriodSeconds", 30);
  // One field under its old and its new name.
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
  else if (spec.serviceAccount) spec.serviceAccountName = spec.serviceAccount;
  for (const list of [spec.containers, spec.initContainers, spec.ephemeralContainers]) {
    for (const container of list ?? []) fillContainer(container);
  }
  for (const volume of spec.volumes ?? []) fillVolume(volume);
}

function fillContainer(container: any): void {
  fill(container, "terminationMessagePath", "/dev/termination-log");
  fill(container, "terminationMessagePolicy", "File");
  fill(container, "imagePullPolicy", pullPolicy(container.image ?? ""));
  for (const port of container.ports ?? []) fill(port, "protocol", "TCP");
  for (const env of container.env ?? []) fillFieldRef(env.valueFrom);
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) {
    if (probe) fillProbe(probe);
  }
  for (const handler of [container.lifecycle?.postStart, container.lifecycle?.preStop]) fillHttpGet(handler?.httpGet);
}

const HOST =
  /(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?/;
const STEP = /[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/;
/** Names of images that registries know. */
const REFERENCE = new RegExp(
  `^(?:${HOST.source}/)?${STEP.source}(?:/${STEP.source})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$`,
);

/** An image that may move under its name is pulled every time; what is no name at all does not move. */
function pullPolicy(image: string): string {
  if (image.includes("@") || !REFERENCE.test(image)) return "IfNotPresent";
  const name = image.slice(image.lastIndexOf("/") + 1);
  const tag = name.includes(":") ? name.slice(name.indexOf(":") + 1) : "latest";
  return tag === "latest" ? "Always" : "IfNotPresent";
}

function fillFieldRef(source: any): void {
  if (source?.fieldRef) fill(source.fieldRef, "apiVersion", "v1");
  // Not a default of Kubernetes: an amount that was never given is written as none.
  if (source?.resourceFieldRef) fill(source.resourceFieldRef, "divisor", "0");
}

function fillHttpGet(httpGet: any): void {
  if (!httpGet) return;
  if (!httpGet.path) httpGet.path = "/";
  if (!httpGet.scheme) httpGet.scheme = "HTTP";
}

function fillProbe(probe: any): void {
  for (const [key, value] of [
    ["timeoutSeconds", 1],
    ["periodSeconds", 10],
    ["successThreshold", 1],
    ["failureThreshold", 3],
  ] as const) {
    if (!probe[key]) probe[key] = value;
  }
  fillHttpGet(probe.httpGet);
  if (probe.grpc) fill(probe.grpc, "service", "");
}

const defaultMode = 0o644;

function fillVolume(volume: any): void {
  if (Object.keys(volume).every((key) => key === "name")) volume.emptyDir = {};
  for (const source of [volume.secret, volume.configMap, volume.downwardAPI, volume.projected]) {
    if (source) fill(source, "defaultMode", defaultMode);
  }
  if (volume.hostPath) fill(volume.hostPath, "type", "");
  for (const item of volume.downwardAPI?.items ?? []) fillFieldRef(item);
  for (const source of volume.projected?.sources ?? []) {
    if (source.serviceAccountToken) fill(source.serviceAccountToken, "expirationSeconds", 3600);
    for (const item of source.downwardAPI?.items ?? []) fillFieldRef(item);
  }
  if (volume.ephemeral?.volumeClaimTemplate?.spec)
    fill(volume.ephemeral.volumeClaimTemplate.spec, "volumeMode", "Filesystem");
  if (volume.image) fill(volume.image, "pullPolicy", pullPolicy(volume.image.reference ?? ""));
  if (volume.iscsi) fill(volume.iscsi, "iscsiInterface", "default");
  if (volume.azureDisk) {
    fill(volume.azureDisk, "cachingMode", "ReadWrite");
    fill(volume.azureDisk, "kind", "Shared");
    fill(volume.azureDisk, "fsType", "ext4");
    fill(volume.azureDisk, "readOnly", false);
  }
  if (volume.scaleIO) {
    fill(volume.scaleIO, "storageMode", "ThinProvisioned");
    fill(volume.scaleIO, "fsType", "xfs");
  }
  if (volume.rbd) {
    fill(volume.rbd, "pool", "rbd");
    fill(volume.rbd, "user", "admin");
    fill(volume.rbd, "keyring", "/etc/ceph/keyring");
  }
}

/** Defaults that pods have and templates have not. */
export function fillPod(pod: any): void {
  const { spec, status } = pod;
  if (status) {
    fillAddresses(status, "podIP");
    fillAddresses(status, "hostIP");
  }
  if (!spec) return;
  fill(spec, "enableServiceLinks", true);
  if (spec.terminationGracePeriodSeconds < 0) spec.terminationGracePeriodSeconds = 1;
  fillPodSpec(spec);
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    // A pod in the host's network has its ports; templates leave it to their pods to say so.
    for (const port of spec.hostNetwork ? (container.ports ?? []) : []) {
      if (!port.hostPort) port.hostPort = port.containerPort;
    }
    const { resources } = container;
    if (!resources?.limits) continue;
    // What is limited and not requested is requested at its limit.
    resources.requests = { ...resources.limits, ...resources.requests };
  }
}
