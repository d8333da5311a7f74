// Writes src/http/generated/protobuf-fields.ts: field numbers, names and types of the builtin kinds, read from the
// struct tags of Kubernetes' published API types.
//   node libs/kube-embedded/tools/generate-protobuf.mjs <folder with api@v… and apimachinery@v…>
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = process.argv[2];
if (!root) throw new Error("name the folder that has api@v… and apimachinery@v… (a Go module cache's k8s.io)");
const moduleDir = (name) =>
  join(
    root,
    readdirSync(root)
      .filter((entry) => entry.startsWith(`${name}@`))
      .sort()
      .at(-1),
  );
const api = moduleDir("api");
const machinery = moduleDir("apimachinery");
const packages = {
  "admissionregistration/v1": api,
  "certificates/v1": api,
  "events/v1": api,
  "flowcontrol/v1": api,
  "node/v1": api,
  "resource/v1": api,
  "core/v1": api,
  "apps/v1": api,
  "batch/v1": api,
  "autoscaling/v1": api,
  "autoscaling/v2": api,
  "networking/v1": api,
  "policy/v1": api,
  "rbac/v1": api,
  "coordination/v1": api,
  "discovery/v1": api,
  "scheduling/v1": api,
  // Not served: members of a served kind are of it.
  "scheduling/v1alpha3": api,
  "storage/v1": api,
  "authentication/v1": api,
  "authorization/v1": api,
  "meta/v1": join(machinery, "pkg", "apis"),
};
const scalars = {
  string: "s",
  bool: "b",
  int32: "i",
  int64: "i",
  uint8: "i",
  float64: "d",
  "[]byte": "y",
  "types.UID": "s",
  "types.NodeName": "s",
};
const special = {
  "meta/v1.Time": "T",
  "meta/v1.MicroTime": "M",
  "resource.Quantity": "Q",
  "intstr.IntOrString": "I",
  "runtime.RawExtension": "R",
  "meta/v1.FieldsV1": "F",
  "meta/v1.Duration": "i",
};

const structs = new Map();
const aliases = new Map();
for (const [name, base] of Object.entries(packages)) {
  const dir = join(base, name);
  for (const file of readdirSync(dir)) {
    if (!file.endsWith(".go") || file.startsWith("zz_") || file.endsWith("_test.go") || file === "generated.pb.go")
      continue;
    const text = readFileSync(join(dir, file), "utf8");
    const imports = new Map();
    for (const [, alias, path] of text.matchAll(
      /^\s*(\w+)?\s*"k8s\.io\/(?:api|apimachinery\/pkg\/apis)\/(\w+\/v\w+)"/gm,
    )) {
      imports.set(alias ?? path.split("/")[1], path);
    }
    for (const [, type, body] of text.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) {
      const fields = [];
      for (const line of body.split("\n")) {
        const found = /^\s*(?:(\w+)\s+)?([*[\]\w.]+)\s+`(.*)`/.exec(line);
        const tag = found && /protobuf:"(\w+),(\d+),/.exec(found[3]);
        if (!tag) continue;
        const json = /json:"([^"]*)"/.exec(found[3])?.[1] ?? "";
        fields.push({ number: Number(tag[2]), json, goType: found[2], imports, pkg: name });
      }
      structs.set(`${name}.${type}`, fields);
    }
    for (const [, type, target] of text.matchAll(/^type (\w+) =? ?((?:\[\]|map\[)?[\w.\]]+)$/gm)) {
      if (target !== "struct") aliases.set(`${name}.${type}`, { target, imports, pkg: name });
    }
  }
}

function qualified(goType, { imports, pkg }) {
  const [left, right] = goType.split(".");
  if (right === undefined) return `${pkg}.${left}`;
  return `${imports.get(left) ?? left}.${right}`;
}

/** Type code: scalar letter or message name, after [] or {} for lists and maps. */
function code(goType, scope) {
  if (goType.startsWith("*")) return code(goType.slice(1), scope);
  if (scalars[goType]) return scalars[goType];
  if (goType.startsWith("[]")) return `[]${code(goType.slice(2), scope)}`;
  const map = /^map\[[\w.]+\](.*)$/.exec(goType);
  if (map) return `{}${code(map[1], scope)}`;
  const name = qualified(goType, scope);
  if (special[name]) return special[name];
  const alias = aliases.get(name);
  if (alias) {
    // A named list has a message of its own on the wire when it is a map's value.
    if (alias.target.startsWith("[]") && name.endsWith("ExtraValue")) return "E";
    return code(alias.target, alias);
  }
  if (!structs.has(name)) throw new Error(`unknown type ${goType} in ${scope.pkg}`);
  needed.add(name);
  return name;
}

const needed = new Set();
const roots = [...structs.keys()].filter(
  (name) =>
    !name.includes("alpha") &&
    structs.get(name).some(({ goType }) => goType === "metav1.ObjectMeta" || goType === "ObjectMeta"),
);
const out = {};
for (const name of [...roots, "meta/v1.DeleteOptions"]) needed.add(name);
for (const name of needed) {
  out[name] = structs.get(name).map((field) => {
    const [json, ...options] = field.json.split(",");
    const keeps = field.goType.startsWith("*") || !(options.includes("omitempty") || options.includes("omitzero"));
    const entry = [field.number, options.includes("inline") ? "" : json, code(field.goType, field)];
    if (keeps) entry.push(1);
    return entry;
  });
}
const target = join(dirname(fileURLToPath(import.meta.url)), "..", "src", "http", "generated", "protobuf-fields.ts");
writeFileSync(
  target,
  `// Generated by tools/generate-protobuf.mjs from published API types: do not edit.\nexport const protobufFieldsJson: string =\n  ${JSON.stringify(JSON.stringify(out))};\n`,
);
console.log(`${Object.keys(out).length} messages`);
