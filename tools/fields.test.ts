import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { workspaceRoot } from "@tiphys/testing";
import { load } from "js-yaml";

/** Part of an OpenAPI schema. */
interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
}

/** Where the code is that acts upon a kind, and fields whose name it need not say because what is above them answers. */
interface Area {
  readonly code: readonly string[];
  /** Refused or named as a whole: the kind's own tests hold that. */
  readonly above: readonly RegExp[];
}

const source = "(?:spec|operation\\.sync)\\.sources?(?:\\[\\])?";
const rolloutCode = ["apps/rollouts-controller", "libs/rollout", "libs/analysis", "libs/traffic-routers"];
const analysis: Area = {
  code: ["apps/rollouts-controller", "libs/analysis", "libs/metric-providers"],
  above: [
    /\.provider\.(?:cloudWatch|datadog|influxdb|newRelic)\./,
    /\.provider\.(?:web|prometheus)\.authentication\./,
    /\.provider\.prometheus\.rangeQuery\./,
  ],
};
const workflow: Area = { code: ["apps/workflow-controller", "libs/workflow"], above: [] };

const areas: Readonly<Record<string, Area>> = {
  applications: {
    code: ["apps/app-controller", "apps/repo-server", "libs/sync", "libs/diff", "libs/render"],
    above: [new RegExp(`^${source}\\.(?:helm|kustomize|plugin|directory\\.jsonnet)\\.`), /^spec\.sourceHydrator\./],
  },
  appprojects: {
    code: ["apps/app-controller", "libs/source-integrity"],
    above: [/^spec\.(?:roles|syncWindows|destinationServiceAccounts)\[\]\./],
  },
  workflows: workflow,
  workflowtemplates: workflow,
  clusterworkflowtemplates: workflow,
  rollouts: {
    code: rolloutCode,
    above: [
      /^spec\.strategy\.blueGreen\./,
      /^spec\.workloadRef\./,
      /^spec\.strategy\.canary\.(?:antiAffinity|pingPong)\./,
      /^spec\.strategy\.canary\.steps\[\]\.(?:experiment|plugin|setHeaderRoute|setMirrorRoute)\./,
      /^spec\.strategy\.canary\.trafficRouting\.(?:alb|ambassador|istio|smi|traefik)\./,
    ],
  },
  analysistemplates: analysis,
  clusteranalysistemplates: analysis,
  analysisruns: analysis,
  eventbus: { code: ["apps/events-gateway", "libs/eventing"], above: [] },
  eventsources: {
    code: ["apps/events-gateway", "libs/eventing", "libs/sources"],
    above: [
      /^spec\.(?:template|service)\./,
      // A reference to a Secret that is not there is an error, also in the original.
      /\.optional$/,
      /\.githubApp\./,
      /^spec\.calendar\.\*\.persistence\./,
      // Types of sources: any other than those that are there is named by the condition SourcesProvided.
      /^spec\.[a-zA-Z]+$/,
    ],
  },
  sensors: {
    code: ["apps/events-gateway", "libs/eventing", "libs/triggers"],
    above: [
      /^spec\.template\./,
      /\.optional$/,
      /\.conditionsReset\[\]\./,
      /\.(?:k8s|argoWorkflow)\.source\.(?:s3|file|configmap|git)$/,
      /\.policy\.k8s\./,
      /\.rateLimit\./,
      // TLS of a URL is what its scheme says.
      /\.http\.tls\.enabled$/,
      // Types of triggers: any other than those that are there is refused by name.
      /\.template\.[a-zA-Z0-9]+$/,
    ],
  },
};

function textOf(folder: string): string {
  let text = "";
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) {
      if (!["testing", "testdata", "node_modules"].includes(name)) text += textOf(path);
    } else if (/(?<!\.test)\.ts$/.test(name)) text += readFileSync(path, "utf8");
  }
  return text;
}

/** Paths of fields that no word of the code names. What is below such a field is not looked at. */
function unnamed(schema: Schema, path: string, words: ReadonlySet<string>): string[] {
  const found: string[] = [];
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    if (words.has(name)) found.push(...unnamed(child, `${path}.${name}`, words));
    else found.push(`${path}.${name}`);
  }
  if (schema.items) found.push(...unnamed(schema.items, `${path}[]`, words));
  if (typeof schema.additionalProperties === "object")
    found.push(...unnamed(schema.additionalProperties, `${path}.*`, words));
  return found;
}

it.each(Object.entries(areas))(
  "every field of %s is honoured, refused or named: the code that acts upon the kind knows its name",
  (plural, { code, above }) => {
    const crd = load(readFileSync(join(workspaceRoot(), `deploy/crds/${plural}.argoproj.io.yaml`), "utf8"));
    const root = (crd as { spec: { versions: { schema: { openAPIV3Schema: Schema } }[] } }).spec.versions[0]?.schema
      .openAPIV3Schema.properties;
    const text = code.map((folder) => textOf(join(workspaceRoot(), folder, "src"))).join("\n");
    const words = new Set(text.match(/[A-Za-z_$][\w$]*/g));
    const silent = ["spec", "operation"]
      .flatMap((field) => unnamed(root?.[field] ?? {}, field, words))
      .filter((path) => !above.some((pattern) => pattern.test(path)));
    expect(silent).toEqual([]);
  },
);

it("finds a field that nothing names", () => {
  const schema: Schema = {
    properties: {
      known: { items: { properties: { odd: {} } } },
      map: { additionalProperties: { properties: { q: {} } } },
    },
  };
  expect(unnamed(schema, "spec", new Set(["known", "map"]))).toEqual(["spec.known[].odd", "spec.map.*.q"]);
});
