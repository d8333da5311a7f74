// Reads the OpenAPI v3 documents and discovery of a running API server (through `kubectl get --raw`) and writes what is a
// fact about builtin kinds (field names, types, list keys, required, enums) in a compact form. No prose is kept.
// Usage: KUBECONFIG=... node tools/generate-kube-schema.mjs
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const raw = (path) => JSON.parse(execFileSync("kubectl", ["get", "--raw", path], { maxBuffer: 64 << 20 }).toString());
/** Groups in the order the server gives them, which is discovery's; custom resources have no place here. */
const custom = new Set(
  raw("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").items.map(({ spec }) => spec.group),
);
const groupVersions = [
  ["", "v1"],
  ...raw("/apis")
    .groups.filter(({ name }) => !custom.has(name))
    .flatMap(({ name, versions }) => versions.map(({ version }) => [name, version])),
];
const folder = (group, version) => (group === "" ? `api/${version}` : `apis/${group}/${version}`);

const definitions = {};
const source = {};
const scalar = { string: "s", boolean: "b", number: "n" };
const refOf = (node) => (node.$ref ?? node.allOf?.[0]?.$ref)?.replace("#/components/schemas/", "");
const leaf = {
  "io.k8s.apimachinery.pkg.api.resource.Quantity": "q",
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "x",
  "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "t",
  "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "m",
  "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "*",
  "io.k8s.apimachinery.pkg.runtime.RawExtension": "*",
  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": "*",
  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": "*",
  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": "*",
  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": "*",
};

function compact(node) {
  const out = {};
  const ref = refOf(node);
  if (ref) {
    if (leaf[ref]) out.t = leaf[ref];
    else {
      define(ref);
      out.r = ref;
    }
  } else if (node.type === "integer") out.t = node.format === "int32" ? "i" : "l";
  else if (node.type === "string" && node.format === "byte") out.t = "y";
  else if (node.type === "string" && node.format === "date-time") out.t = "t";
  else if (scalar[node.type]) out.t = scalar[node.type];
  else if (node.type === "array") out.i = compact(node.items);
  else if (node.additionalProperties) out.a = compact(node.additionalProperties);
  else if (node.properties) {
    out.p = {};
    for (const [name, property] of Object.entries(node.properties)) out.p[name] = compact(property);
  } else if (node.type === "object") out.t = "o";
  else out.t = "*";
  if (node.required) out.q = node.required;
  if (node.enum) out.e = node.enum;
  if (node.default !== undefined) out.d = node.default;
  const lists = { atomic: "a", set: "s", map: "m" };
  if (node["x-kubernetes-list-type"]) out.lt = lists[node["x-kubernetes-list-type"]];
  if (node["x-kubernetes-list-map-keys"]) out.lk = node["x-kubernetes-list-map-keys"];
  if (node["x-kubernetes-map-type"]) out.mt = node["x-kubernetes-map-type"][0];
  if (node["x-kubernetes-patch-strategy"]) out.ps = node["x-kubernetes-patch-strategy"];
  if (node["x-kubernetes-patch-merge-key"]) out.pk = node["x-kubernetes-patch-merge-key"];
  const keys = Object.keys(out);
  if (keys.length === 1 && keys[0] === "t") return out.t;
  if (keys.length === 1 && keys[0] === "r") return `#${out.r}`;
  return out;
}

function define(name) {
  if (definitions[name]) return;
  if (!source[name]) throw new Error(`no definition ${name}`);
  definitions[name] = {};
  definitions[name] = compact(source[name]);
}

const kinds = [];
for (const [group, version] of groupVersions) {
  const document = raw(`/openapi/v3/${folder(group, version)}`);
  Object.assign(source, document.components.schemas);
  const byKind = {};
  for (const [name, node] of Object.entries(document.components.schemas)) {
    const gvks = node["x-kubernetes-group-version-kind"] ?? [];
    if (gvks.length === 1) byKind[`${gvks[0].group}/${gvks[0].version}/${gvks[0].kind}`] = name;
  }
  const { resources } = raw(`/${folder(group, version)}`);
  for (const resource of resources) {
    if (resource.name.includes("/")) continue;
    const definition = byKind[`${group}/${version}/${resource.kind}`];
    define(definition);
    const subresources = resources
      .filter((other) => other.name.startsWith(`${resource.name}/`))
      .map(({ name, kind, verbs, ...other }) => {
        const entry = { name: name.slice(resource.name.length + 1), kind, verbs };
        if (other.group) Object.assign(entry, { group: other.group, version: other.version });
        const known = byKind[`${other.group ?? group}/${other.version ?? version}/${kind}`];
        if (known && kind !== resource.kind) {
          define(known);
          entry.definition = known;
        }
        return entry;
      });
    kinds.push({
      group,
      version,
      resource: resource.name,
      kind: resource.kind,
      namespaced: resource.namespaced,
      singular: resource.singularName,
      shortNames: resource.shortNames ?? [],
      categories: resource.categories ?? [],
      verbs: resource.verbs,
      ...(resource.storageVersionHash ? { storageVersionHash: resource.storageVersionHash } : {}),
      subresources,
      definition,
    });
  }
  for (const extra of [
    "io.k8s.api.autoscaling.v1.Scale",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
  ])
    if (source[extra]) define(extra);
}

const sorted = Object.fromEntries(Object.entries(definitions).sort(([a], [b]) => (a < b ? -1 : 1)));
const target = join(dirname(fileURLToPath(import.meta.url)), "../libs/kube-schema/src/generated");
mkdirSync(target, { recursive: true });
const header = "// Generated by tools/generate-kube-schema.mjs from a running API server: do not edit.\n";
const text = (value) => JSON.stringify(JSON.stringify(value));
writeFileSync(join(target, "definitions.ts"), `${header}export const definitionsJson: string =\n  ${text(sorted)};\n`);
writeFileSync(join(target, "kinds.ts"), `${header}export const kindsJson: string =\n  ${text(kinds)};\n`);
console.log(`${Object.keys(sorted).length} definitions, ${kinds.length} kinds`);
