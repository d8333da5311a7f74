import { defineMethods, GoSlice, GoStruct, type GoValue, quote } from "@tiphys/template";
import { ChartError } from "./errors.js";

/** What Helm 4.1.4 says about itself; `lookup` aside, charts ask for nothing else. */
const HELM = { version: "v4.1.4", commit: "05fa37973dc9e42b76e1d2883494c87174b6074f", go: "go1.25.9", client: "v1.35" };
const DEFAULT_KUBE = "v1.35.0";

/** API versions that Helm assumes without a cluster. */
const defaultApiVersions = `v1
admissionregistration.k8s.io/v1 admissionregistration.k8s.io/v1alpha1 admissionregistration.k8s.io/v1beta1
internal.apiserver.k8s.io/v1alpha1 apps/v1 apps/v1beta1 apps/v1beta2
authentication.k8s.io/v1 authentication.k8s.io/v1alpha1 authentication.k8s.io/v1beta1
authorization.k8s.io/v1 authorization.k8s.io/v1beta1
autoscaling/v1 autoscaling/v2 autoscaling/v2beta1 autoscaling/v2beta2 batch/v1 batch/v1beta1
certificates.k8s.io/v1 certificates.k8s.io/v1beta1 certificates.k8s.io/v1alpha1
coordination.k8s.io/v1alpha2 coordination.k8s.io/v1beta1 coordination.k8s.io/v1
discovery.k8s.io/v1 discovery.k8s.io/v1beta1 events.k8s.io/v1 events.k8s.io/v1beta1 extensions/v1beta1
flowcontrol.apiserver.k8s.io/v1 flowcontrol.apiserver.k8s.io/v1beta1 flowcontrol.apiserver.k8s.io/v1beta2
flowcontrol.apiserver.k8s.io/v1beta3 networking.k8s.io/v1 networking.k8s.io/v1beta1
node.k8s.io/v1 node.k8s.io/v1alpha1 node.k8s.io/v1beta1 policy/v1 policy/v1beta1
rbac.authorization.k8s.io/v1 rbac.authorization.k8s.io/v1beta1 rbac.authorization.k8s.io/v1alpha1
resource.k8s.io/v1 resource.k8s.io/v1beta2 resource.k8s.io/v1beta1 resource.k8s.io/v1alpha3
scheduling.k8s.io/v1alpha1 scheduling.k8s.io/v1beta1 scheduling.k8s.io/v1
storage.k8s.io/v1beta1 storage.k8s.io/v1 storage.k8s.io/v1alpha1 storagemigration.k8s.io/v1beta1
apiextensions.k8s.io/v1beta1 apiextensions.k8s.io/v1`.split(/\s+/);

export interface KubeVersion {
  /** As given, with its `v`. */
  readonly version: string;
  /** Without suffixes: what constraints are checked against. */
  readonly normalized: string;
  readonly major: string;
  readonly minor: string;
}

/** Reads a Kubernetes version (`1.29`, `v1.33.4-gke.1245000`). Throws a {@link ChartError}. */
export function parseKubeVersion(text: string = DEFAULT_KUBE): KubeVersion {
  const fail = (reason: string): never => {
    throw new ChartError(`invalid kube version '${text}': ${reason}`);
  };
  const match = /^\s*v?([0-9]+(?:\.[0-9]+)*)/.exec(text);
  if (!match) return fail(`could not parse ${quote(text)} as version`);
  const parts = match[1]!.split(".");
  if (parts.length < 2) return fail(`illegal version string ${quote(text)}`);
  if (parts[0]!.length > 1 && parts[0]!.startsWith("0"))
    return fail(`illegal zero-prefixed version component ${quote(parts[0]!)} in ${quote(text)}`);
  const numbers = parts.map((part) => BigInt(part).toString());
  return {
    version: text.startsWith("v") ? text : `v${text}`,
    normalized: `v${numbers.join(".")}`,
    major: numbers[0]!,
    minor: numbers[1]!,
  };
}

defineMethods("common.VersionSet", {
  Has: {
    params: ["string"],
    call: ((set: GoSlice, version: string) => set.includes(version)) as (...args: never[]) => GoValue,
  },
});

const VERSIONS = "APIVersions";

/** Fields of which the API versions are asked for when something looks at them: most charts never do. */
class Capabilities extends Map<string, GoValue> {
  private known: GoValue | undefined;
  constructor(
    private readonly versions: () => GoValue,
    fields: readonly [string, GoValue][],
  ) {
    super(fields);
  }
  private load(): void {
    this.known ??= this.versions();
    super.set(VERSIONS, this.known);
  }
  override get(name: string): GoValue | undefined {
    if (name === VERSIONS) this.load();
    return super.get(name);
  }
  override entries(): MapIterator<[string, GoValue]> {
    this.load();
    return super.entries();
  }
  override values(): MapIterator<GoValue> {
    this.load();
    return super.values();
  }
  override [Symbol.iterator](): MapIterator<[string, GoValue]> {
    return this.entries();
  }
  override forEach(call: (value: GoValue, name: string, map: Map<string, GoValue>) => void): void {
    this.load();
    super.forEach(call);
  }
}

/** `.Capabilities`; `extraApiVersions` is asked only where a template looks at them. */
export function capabilitiesValue(kube: KubeVersion, extraApiVersions: () => readonly string[]): GoStruct {
  const kubeVersion = new GoStruct(
    "common.KubeVersion",
    new Map([
      ["Version", kube.version],
      ["normalizedVersion", kube.normalized],
      ["Major", kube.major],
      ["Minor", kube.minor],
    ]),
    {
      // A String method of the pointer: printing the field calls it, printing a copy does not.
      addressable: () => kube.normalized,
      json: () =>
        new GoStruct(
          "json",
          new Map([
            ["Version", kube.version],
            ["Major", kube.major],
            ["Minor", kube.minor],
          ]),
        ),
      methods: {
        String: { params: [], call: () => kube.normalized },
        GitVersion: { params: [], call: () => kube.version },
      },
    },
  );
  const helm = new GoStruct(
    "version.BuildInfo",
    new Map([
      ["Version", HELM.version],
      ["GitCommit", HELM.commit],
      ["GitTreeState", "clean"],
      ["GoVersion", HELM.go],
      ["KubeClientVersion", HELM.client],
    ]),
    {
      json: () =>
        new GoStruct(
          "json",
          new Map([
            ["version", HELM.version],
            ["git_commit", HELM.commit],
            ["git_tree_state", "clean"],
            ["go_version", HELM.go],
            ["kube_client_version", HELM.client],
          ]),
        ),
    },
  );
  const versions = () =>
    GoSlice.of_("string", [...defaultApiVersions, ...extraApiVersions()], false, "common.VersionSet");
  const fields = new Capabilities(versions, [
    ["KubeVersion", kubeVersion],
    // Its place among the fields; `versions` gives the value.
    [VERSIONS, helm],
    ["HelmVersion", helm],
  ]);
  const capabilities: GoStruct = new GoStruct("common.Capabilities", fields, {
    pointer: true,
    methods: { Copy: { params: [], call: () => capabilities } },
  });
  return capabilities;
}
