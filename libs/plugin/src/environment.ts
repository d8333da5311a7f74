import { goEscaped } from "@tiphys/canonical-json";
import { InvalidArgumentError } from "@tiphys/errors";

/** What commands know about the application whose source they render. */
export interface BuildEnvironment {
  readonly appName: string;
  /** The destination's namespace. */
  readonly namespace: string;
  readonly project: string;
  /** The commit. */
  readonly revision: string;
  readonly repoUrl: string;
  readonly path: string;
  readonly targetRevision: string;
}

export interface PluginParameter {
  readonly name?: string;
  readonly string?: string;
  readonly array?: readonly string[];
  readonly map?: Readonly<Record<string, string>>;
}

/** `spec.source.plugin` of an Application. */
export interface PluginSettings {
  readonly name?: string;
  readonly env?: readonly { readonly name?: string; readonly value?: string }[];
  readonly parameters?: readonly PluginParameter[];
}

export interface EnvironmentEntry {
  readonly name: string;
  readonly value: string;
}

/** The variables that every kind of source may refer to. */
export const buildVariables = (build: BuildEnvironment): EnvironmentEntry[] => [
  { name: "ARGOCD_APP_NAME", value: build.appName },
  { name: "ARGOCD_APP_NAMESPACE", value: build.namespace },
  { name: "ARGOCD_APP_PROJECT_NAME", value: build.project },
  { name: "ARGOCD_APP_REVISION", value: build.revision },
  { name: "ARGOCD_APP_REVISION_SHORT", value: build.revision.slice(0, 7) },
  { name: "ARGOCD_APP_REVISION_SHORT_8", value: build.revision.slice(0, 8) },
  { name: "ARGOCD_APP_SOURCE_REPO_URL", value: build.repoUrl },
  { name: "ARGOCD_APP_SOURCE_PATH", value: build.path },
  { name: "ARGOCD_APP_SOURCE_TARGET_REVISION", value: build.targetRevision },
];

/** Everything that a plugin's commands get from us, in Argo CD's order; later entries win over earlier ones. */
export function pluginVariables(
  build: BuildEnvironment,
  settings: PluginSettings,
  cluster: { readonly kubeVersion: string; readonly apiVersions: readonly string[] },
): EnvironmentEntry[] {
  const known = [
    ...buildVariables(build),
    { name: "KUBE_VERSION", value: cluster.kubeVersion.replace(/^v/, "").replace(/[+-].*$/, "") },
    { name: "KUBE_API_VERSIONS", value: cluster.apiVersions.join(",") },
  ];
  const own = (settings.env ?? []).map(({ name = "", value = "" }, i) => {
    if (name === "") throw new InvalidArgumentError(`spec.source.plugin.env[${i}].name`, "is empty");
    // Users cannot set other variables than these: PATH and LD_PRELOAD stay ours.
    return { name: `ARGOCD_ENV_${name}`, value: expand(value, known) };
  });
  return [...known, ...own, ...parameterVariables(settings.parameters ?? [])];
}

function parameterVariables(parameters: readonly PluginParameter[]): EnvironmentEntry[] {
  const json = JSON.stringify(
    parameters.map(({ name = "", string, array, map }) => ({
      ...(array ? { array } : {}),
      ...(map ? { map: Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1))) } : {}),
      name,
      ...(string === undefined ? {} : { string }),
    })),
  );
  const single = parameters.flatMap(({ name = "", string, array = [], map = {} }) => {
    const base = `PARAM_${escaped(name)}`;
    return [
      ...(string === undefined ? [] : [{ name: base, value: string }]),
      ...Object.entries(map).map(([key, value]) => ({ name: `${base}_${escaped(key)}`, value })),
      ...array.map((value, i) => ({ name: `${base}_${i}`, value })),
    ];
  });
  return [{ name: "ARGOCD_APP_PARAMETERS", value: goEscaped(json) }, ...single];
}

const escaped = (name: string): string => name.toUpperCase().replace(/[^A-Z0-9_]/g, "_");
const SPECIAL = /^[*#$@!?\-0-9]$/;
const NAME = /[A-Za-z0-9_]/;

/** `$NAME` and `${NAME}` by their values, as Go's os.Expand has it; `$$` is a dollar, what is not known is empty. */
export function expand(text: string, entries: readonly EnvironmentEntry[]): string {
  const values = new Map(entries.map(({ name, value }) => [name, value]));
  const known = (name: string) => (name === "$" ? "$" : (values.get(name) ?? ""));
  let out = "";
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== "$" || i + 1 === text.length) {
      out += text[i];
      continue;
    }
    const next = text[i + 1]!;
    if (next === "{") {
      const end = text.indexOf("}", i + 2);
      if (end < 0) i += 1;
      else {
        out += end === i + 2 ? "" : known(text.slice(i + 2, end));
        i = end;
      }
    } else if (SPECIAL.test(next)) {
      out += known(next);
      i++;
    } else {
      let end = i + 1;
      while (end < text.length && NAME.test(text[end]!)) end++;
      out += end === i + 1 ? "$" : known(text.slice(i + 1, end));
      i = end - 1;
    }
  }
  return out;
}
