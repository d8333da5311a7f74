// Reads the OpenAPI v3 documents and discovery of a running API server (through `kubectl get --raw`) and writes what is a
// fact about builtin kinds (field names, types, list keys, required, enums) in a compact form. No prose is kept.
// What OpenAPI does not tell, which members keep a zero value, is read from the struct tags of the published Go types.
// Usage: KUBECONFIG=... node tools/generate-kube-schema.mjs <folder with api@v…, apimachinery@v…: a module cache's k8s.io>
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
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
  "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "f",
  "io.k8s.apimachinery.pkg.runtime.RawExtension": "r",
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
  Object.assign(definitions[name], zeros(name, definitions[name]));
}

const goRoot = process.argv[2];
if (!goRoot) throw new Error("name the folder that has api@v… and apimachinery@v…");
const modules = Object.fromEntries(
  readdirSync(goRoot)
    .sort()
    .map((entry) => [entry.split("@")[0], join(goRoot, entry)]),
);
/** io.k8s.api.core.v1.Pod → the folder of k8s.io/api/core/v1. */
function goPackage(name) {
  const [, , module, ...rest] = name.split(".").slice(0, -1);
  return modules[module] && join(modules[module], ...rest);
}
const packages = new Map();
/** Members of the package's structs: JSON name → Go type and options of the tag. */
function structsOf(folder) {
  if (packages.has(folder)) return packages.get(folder);
  const structs = new Map();
  packages.set(folder, structs);
  if (!folder || !existsSync(folder)) return structs;
  for (const file of readdirSync(folder)) {
    if (!file.endsWith(".go") || /^(zz_|generated)|_test\.go$/.test(file)) continue;
    for (const [, type, body] of readFileSync(join(folder, file), "utf8").matchAll(
      /^type (\w+) struct \{\n([\s\S]*?)^\}/gm,
    )) {
      const members = new Map();
      const inlined = [];
      for (const line of body.split("\n")) {
        const found = /^\s*(?:(\w+)\s+)?([*[\]\w.]+)\s+`.*json:"([^"]*)"/.exec(line);
        if (!found) continue;
        const [json, ...options] = found[3].split(",");
        if (json) members.set(json, { type: found[2], options });
        else if (options.includes("inline")) inlined.push(found[2]);
      }
      structs.set(type, { members, inlined });
    }
  }
  return structs;
}

/**
 * kz: members that are written although they are zero; kp: scalar members that keep a zero which was given (pointers); kn: both, and null
 * when nothing was given.
 */
function zeros(name, { p = {} }) {
  const structs = structsOf(goPackage(name));
  const find = (type) => {
    const found = structs.get(type.replace(/^\*/, ""));
    return found ? [...found.inlined.flatMap(find), ...found.members] : [];
  };
  const kz = [];
  const kp = [];
  const kn = [];
  for (const [json, { type, options }] of find(name.split(".").at(-1))) {
    if (!(json in p)) continue;
    const node = typeof p[json] === "string" ? p[json] : (p[json].t ?? "");
    const isScalar = "sbnilytm".includes(node) && node !== "";
    const isTime = node === "t" || node === "m";
    if (!options.includes("omitempty") && !options.includes("omitzero")) {
      // A struct by value is there anyhow; metadata and type of an object are seen to by those who make it.
      if (isScalar && !isTime && type.startsWith("*")) kn.push(json);
      else if (isScalar || type.startsWith("*") || type.startsWith("[]") || type.startsWith("map[")) kz.push(json);
    } else if (isTime && !type.startsWith("*") && !options.includes("omitzero")) kz.push(json);
    else if (isScalar && type.startsWith("*")) kp.push(json);
  }
  return { ...(kz.length > 0 ? { kz } : {}), ...(kp.length > 0 ? { kp } : {}), ...(kn.length > 0 ? { kn } : {}) };
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
