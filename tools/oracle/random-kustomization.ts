// Kustomizations made up from a seed: a base or two, an overlay with every field, components; the one to build is `app`.
import { seeded } from "@tiphys/testing";
import { anyObject, anyText, Dice, type Json, labels, names, namespaces } from "./random-objects.js";

const yaml = (value: unknown): string => `${JSON.stringify(value, null, 1)}\n`;
const stream = (objects: readonly unknown[]): string => objects.map(yaml).join("---\n");

/** What there is so far, so that most of what is said of it holds. */
interface Known {
  readonly objects: Json[];
  /** `kind/name` of what generators have made. */
  readonly generated: Set<string>;
}

/** How often something is said that may not hold. */
const CARELESS = 0.04;

const kindOf = (object: Json): string => object["kind"] as string;
const nameOf = (object: Json): string => (object["metadata"] as { name: string }).name;
const groupOf = (object: Json): string => {
  const [group, version] = (object["apiVersion"] as string).split("/");
  return version ? (group as string) : "";
};

/** A choice of objects by whatever a selector has. */
const target = (dice: Dice, { objects }: Known): Json => {
  const object = dice.pick(objects);
  return {
    ...dice.maybe(0.8, "kind", () => dice.pick([kindOf(object), kindOf(object), ".*Set", "Deploy.*"])),
    ...dice.maybe(0.5, "name", () => dice.pick([nameOf(object), nameOf(object), "w.*", ".*"])),
    ...dice.maybe(0.15, "group", () => groupOf(object)),
    ...dice.maybe(0.1, "version", () => "v1"),
    ...dice.maybe(0.1, "namespace", () => dice.pick(namespaces)),
    ...dice.maybe(0.15, "labelSelector", () =>
      dice.pick(["app=web", "app", "!app", "tier in (web,db)", "app!=web", "example.com/part"]),
    ),
    ...dice.maybe(0.1, "annotationSelector", () => dice.pick(["note", "x=a", "!note"])),
  };
};

/** What a strategic merge patch may say of an object. */
function strategic(dice: Dice, known: Known): Json {
  const object = dice.pick(known.objects);
  const metadata: Json = {
    name: dice.chance(CARELESS / 4) ? "nobody" : nameOf(object),
    ...((object["metadata"] as Json)["namespace"] ? { namespace: (object["metadata"] as Json)["namespace"] } : {}),
  };
  const identity = { apiVersion: object["apiVersion"], kind: object["kind"] };
  if (dice.chance(0.1)) return { ...identity, metadata, $patch: dice.pick(["delete", "replace"]) };
  if (dice.chance(0.4)) metadata["labels"] = { ...labels(dice), ...dice.maybe(0.3, "app", () => null) };
  if (dice.chance(0.3)) metadata["annotations"] = { note: anyText(dice), ...dice.maybe(0.3, "x", () => null) };
  const spec = object["spec"] as Json | undefined;
  const containers = ((spec?.["template"] as Json | undefined)?.["spec"] as Json | undefined)?.["containers"] as
    | Json[]
    | undefined;
  if (spec && containers) {
    const item = (index: number): Json => ({
      name: dice.pick([...containers.map((each) => each["name"] as string), `new${index}`]),
      ...dice.maybe(0.5, "image", () => "patched:2"),
      ...dice.maybe(0.3, "env", () => [{ name: dice.pick(["A", "HOST"]), value: anyText(dice) }]),
      ...dice.maybe(0.2, "ports", () => [{ containerPort: dice.pick([80, 8080]), name: "p" }]),
      ...dice.maybe(0.1, "args", () => ["patched"]),
      ...dice.maybe(0.1, "args", () => null),
      ...dice.maybe(0.08, "$patch", () => dice.pick(["delete", "replace", "merge"])),
    });
    const podSpec = {
      containers: [...dice.times(0, 3, item), ...(dice.chance(0.05) ? [{ $patch: "replace" }] : [])],
      ...dice.maybe(0.2, "volumes", () => [
        { name: "v0", emptyDir: {} },
        ...(dice.chance(0.2) ? [{ name: "v1", $patch: "delete" }] : []),
      ]),
      ...dice.maybe(0.1, "initContainers", () => null),
      ...dice.maybe(0.1, "$setElementOrder/containers", () => [{ name: "side" }, { name: "main" }]),
      ...dice.maybe(0.1, "nodeSelector", () => ({ $patch: "replace", only: "this" })),
      ...dice.maybe(0.1, "tolerations", () => [{ key: "b", operator: "Exists" }]),
    };
    return {
      ...identity,
      metadata,
      spec: { ...dice.maybe(0.3, "replicas", () => dice.pick([5, 0, null])), template: { spec: podSpec } },
    };
  }
  if (kindOf(object) === "ConfigMap")
    return { ...identity, metadata, data: { a: dice.pick([anyText(dice), null]), new: anyText(dice) } };
  if (kindOf(object) === "Service") {
    return {
      ...identity,
      metadata,
      spec: {
        ports: dice.times(0, 2, () => ({
          port: dice.pick([80, 81]),
          ...dice.maybe(0.3, "name", () => "q"),
          ...dice.maybe(0.2, "protocol", () => "UDP"),
        })),
        ...dice.maybe(0.2, "type", () => "NodePort"),
      },
    };
  }
  if (kindOf(object) === "Thing")
    return {
      ...identity,
      metadata,
      spec: dice.pick<Json>([
        { list: ["p"] },
        { list: null },
        { items: [{ name: "web", n: 9 }] },
        { ref: { more: 1 } },
        { image: null },
      ]),
    };
  return { ...identity, metadata };
}

const paths = [
  "/metadata/labels/app",
  "/metadata/annotations",
  "/metadata/annotations/note",
  "/metadata/annotations/example.com~1when",
  "/spec/replicas",
  "/spec/template/spec/containers/0/image",
  "/spec/template/spec/containers/-",
  "/spec/template/spec/containers/0/env/-",
  "/spec/ports/0",
  "/data/a",
  "/metadata/name",
  "/kind",
  "/spec/list/0",
];
/** Where every object can be given something. */
const safePaths = ["/metadata/annotations/note", "/metadata/annotations/example.com~1when", "/extra"];

function operations(dice: Dice): Json[] {
  return dice.times(1, 3, () => {
    const isSafe = !dice.chance(CARELESS * 3);
    const path = dice.pick(isSafe ? safePaths : paths);
    const from = isSafe ? "/kind" : dice.pick(paths.filter((each) => !each.endsWith("annotations")));
    const value = path.endsWith("-")
      ? { name: "added", value: "1" }
      : path.endsWith("annotations")
        ? { a: "b" }
        : path.endsWith("replicas")
          ? 7
          : anyText(dice);
    const op = dice.pick(isSafe ? ["add", "add", "copy"] : ["add", "replace", "remove", "copy", "move", "test"]);
    return { op, path, ...(op === "copy" || op === "move" ? { from } : {}), ...(op === "remove" ? {} : { value }) };
  });
}

const patchEntry = (dice: Dice, known: Known, file: (text: string) => string): Json => {
  const options = dice.maybe(0.1, "options", () => ({
    allowNameChange: dice.chance(0.5),
    allowKindChange: dice.chance(0.5),
  }));
  const where = (text: string): Json => (dice.chance(0.3) ? { path: file(text) } : { patch: text });
  return dice.pick<() => Json>([
    () => ({ ...where(yaml(strategic(dice, known))), ...options }),
    () => ({ ...where(yaml(strategic(dice, known))), target: target(dice, known), ...options }),
    () => ({ ...where(yaml(operations(dice))), target: target(dice, known), ...options }),
    () => ({ ...where(stream([strategic(dice, known), strategic(dice, known)])), ...options }),
  ])();
};

const fieldPaths = [
  "metadata.name",
  "metadata.labels.app",
  "metadata.annotations.note",
  "metadata.annotations[example.com/when]",
  "spec.template.spec.containers.0.image",
  "spec.template.spec.containers.[name=main].image",
  "spec.template.spec.containers.*.env.[name=HOST].value",
  "spec.replicas",
  "data.a",
  "spec.ref.name",
  "spec.rules.0.host",
];
const safeSources = ["metadata.name", "kind", "apiVersion"];
const safeTargets = [
  "metadata.annotations.note",
  "metadata.annotations[example.com/when]",
  "metadata.labels.app",
  "spec.extra",
];

const replacement = (dice: Dice, known: Known): Json => {
  const from = dice.pick(known.objects);
  const careless = (): boolean => dice.chance(CARELESS * 2);
  const options = (isTarget: boolean): Json => ({
    options: {
      ...dice.maybe(0.3, "delimiter", () => dice.pick([":", "/", "-"])),
      ...dice.maybe(careless() ? 1 : 0, "index", () => dice.below(3) - 1),
      ...(isTarget ? dice.maybe(careless() ? 0.2 : 1, "create", () => true) : {}),
    },
  });
  return {
    ...(dice.chance(0.1)
      ? { sourceValue: anyText(dice) }
      : {
          source: {
            kind: kindOf(from),
            name: nameOf(from),
            ...((from["metadata"] as Json)["namespace"] ? { namespace: (from["metadata"] as Json)["namespace"] } : {}),
            ...dice.maybe(0.7, "fieldPath", () => dice.pick(careless() ? fieldPaths : safeSources)),
            ...options(false),
          },
        }),
    targets: dice.times(1, 2, () => {
      const to = dice.pick(known.objects);
      return {
        select: { ...dice.maybe(0.9, "kind", () => kindOf(to)), ...dice.maybe(0.6, "name", () => nameOf(to)) },
        ...dice.maybe(0.2, "reject", () => [{ name: dice.pick(names) }]),
        ...dice.maybe(0.95, "fieldPaths", () =>
          dice.times(1, 2, () => dice.pick(careless() ? fieldPaths : safeTargets)),
        ),
        ...options(true),
      };
    }),
  };
};

const generator = (dice: Dice, { generated }: Known, isSecret: boolean): Json => {
  const name = dice.pick(names);
  const word = `${isSecret ? "Secret" : "ConfigMap"}/${name}`;
  const isMade = generated.has(word);
  generated.add(word);
  const keys = dice.some(["a", "b", "k", "x.conf"], 0.5);
  return {
    name: dice.chance(0.3) || isMade ? name : `made-${name}`,
    ...dice.maybe(0.9, "literals", () =>
      keys.map((key) => `${key}=${dice.pick([anyText(dice).replaceAll("\n", " "), '"quoted"', "'single'", "x=y"])}`),
    ),
    ...dice.maybe(0.3, "files", () => [dice.pick(["file.txt", "key=file.txt"])]),
    ...dice.maybe(0.2, "envs", () => ["vars.env"]),
    ...dice.maybe(isMade ? 0.9 : CARELESS / 2, "behavior", () => dice.pick(["merge", "replace"])),
    ...dice.maybe(CARELESS, "namespace", () => dice.pick(namespaces)),
    ...dice.maybe(0.3, "options", () => ({
      ...dice.maybe(0.5, "disableNameSuffixHash", () => dice.chance(0.7)),
      ...dice.maybe(0.4, "labels", () => labels(dice)),
      ...dice.maybe(0.3, "annotations", () => ({ note: anyText(dice) })),
      ...dice.maybe(0.2, "immutable", () => dice.chance(0.5)),
    })),
    ...(isSecret ? dice.maybe(0.3, "type", () => "example.com/keys") : {}),
  };
};

const configuration = (dice: Dice): Json => ({
  ...dice.maybe(0.4, "nameReference", () => [
    {
      kind: dice.pick(["ConfigMap", "Secret", "Service"]),
      version: "v1",
      fieldSpecs: [{ path: "spec/ref/name", kind: "Thing" }],
    },
  ]),
  ...dice.maybe(0.4, "images", () => [{ path: "spec/image", kind: "Thing" }]),
  ...dice.maybe(0.3, "varReference", () => [{ path: "spec/list", kind: "Thing" }]),
  ...dice.maybe(0.3, "commonLabels", () => [{ path: "spec/labels", create: dice.chance(0.6), kind: "Thing" }]),
  ...dice.maybe(0.3, "namePrefix", () => [{ path: "spec/ref/name", kind: "Thing" }]),
  ...dice.maybe(0.3, "commonAnnotations", () => [
    { path: "spec/template/metadata/annotations", create: true, kind: "Thing" },
  ]),
  ...dice.maybe(0.3, "replicas", () => [{ path: "spec/replicas", create: true, kind: "Thing" }]),
  ...dice.maybe(0.3, "namespace", () => [{ path: "spec/namespace", create: true, kind: "Thing" }]),
});

const label = (dice: Dice): Json => ({
  pairs: labels(dice),
  ...dice.maybe(0.3, "includeSelectors", () => dice.chance(0.7)),
  ...dice.maybe(0.3, "includeTemplates", () => dice.chance(0.7)),
  ...dice.maybe(0.15, "fields", () => [{ path: "spec/extra", create: true, kind: dice.pick(["Thing", "Service"]) }]),
});

/** Everything that a kustomization can say about what it has gathered. */
function transformations(dice: Dice, known: Known, file: (name: string, text: string) => string): Json {
  let count = 0;
  const patchFile = (text: string): string => file(`patch-${count++}.yaml`, text);
  return {
    ...dice.maybe(0.25, "namePrefix", () => dice.pick(["p-", "x"])),
    ...dice.maybe(0.2, "nameSuffix", () => "-s"),
    ...dice.maybe(0.3, "namespace", () => dice.pick([...namespaces, "three"])),
    ...dice.maybe(0.15, "commonLabels", () => labels(dice)),
    ...dice.maybe(0.25, "labels", () => dice.times(1, 2, () => label(dice))),
    ...dice.maybe(0.2, "commonAnnotations", () => ({ note: anyText(dice), common: "1" })),
    ...dice.maybe(0.25, "images", () =>
      dice.times(1, 2, () => ({
        name: dice.pick(["nginx", "busybox", "registry.example:5000/team/app", "app", "docker.io/library/redis"]),
        ...dice.maybe(0.4, "newName", () => "mirror.example/other"),
        ...dice.maybe(0.5, "newTag", () => dice.pick(["v9", "1.10"])),
        ...dice.maybe(0.2, "digest", () => "sha256:9999999999999999999999999999999999999999999999999999999999999999"),
        ...dice.maybe(0.1, "tagSuffix", () => "-slim"),
      })),
    ),
    ...dice.maybe(0.2, "replicas", () => {
      const scaled = known.objects.filter((object) => ["Deployment", "StatefulSet"].includes(kindOf(object)));
      return scaled.length === 0 ? [] : [{ name: nameOf(dice.pick(scaled)), count: dice.below(5) }];
    }),
    ...dice.maybe(0.25, "configMapGenerator", () => dice.times(1, 2, () => generator(dice, known, false))),
    ...dice.maybe(0.2, "secretGenerator", () => [generator(dice, known, true)]),
    ...dice.maybe(0.1, "generatorOptions", () => ({
      ...dice.maybe(0.5, "disableNameSuffixHash", () => true),
      ...dice.maybe(0.5, "labels", () => labels(dice)),
    })),
    ...dice.maybe(0.35, "patches", () => dice.times(1, 3, () => patchEntry(dice, known, patchFile))),
    ...dice.maybe(0.12, "patchesStrategicMerge", () =>
      dice.times(1, 2, () =>
        dice.chance(0.5) ? patchFile(yaml(strategic(dice, known))) : yaml(strategic(dice, known)),
      ),
    ),
    ...dice.maybe(0.1, "patchesJson6902", () => {
      const object = dice.pick(known.objects);
      return [
        {
          target: { group: groupOf(object), version: "v1", kind: kindOf(object), name: nameOf(object) },
          patch: yaml(operations(dice)),
        },
      ];
    }),
    ...dice.maybe(0.2, "replacements", () => dice.times(1, 2, () => replacement(dice, known))),
    ...dice.maybe(0.1, "vars", () => {
      const object = dice.pick(known.objects);
      return [
        {
          name: dice.pick(["HOST", "OTHER"]),
          objref: { kind: kindOf(object), name: nameOf(object), apiVersion: object["apiVersion"] },
          ...dice.maybe(0.5, "fieldref", () => ({
            fieldpath: dice.pick(["metadata.name", "data.a", "metadata.labels.app"]),
          })),
        },
      ];
    }),
    ...dice.maybe(0.15, "configurations", () => [file("config.yaml", yaml(configuration(dice)))]),
    ...dice.maybe(0.1, "sortOptions", () =>
      dice.pick<Json>([
        { order: "fifo" },
        { order: "legacy" },
        { order: "legacy", legacySortOptions: { orderFirst: ["Service", "Thing"], orderLast: ["Namespace"] } },
      ]),
    ),
    ...dice.maybe(0.08, "buildMetadata", () => dice.some(["managedByLabel"], 0.6)),
  };
}

/** The files of one made-up kustomization. */
export function makeKustomization(seed: number): Record<string, string> {
  const dice = new Dice(seeded(seed));
  const files: Record<string, string> = {};
  const known: Known = { objects: [], generated: new Set() };
  const folder = (name: string, body: (file: (path: string, text: string) => string) => Json): string => {
    const file = (path: string, text: string): string => {
      files[`${name}/${path}`] = text;
      return path;
    };
    file("file.txt", dice.pick(["one\ntwo\n", "no end", "", "tab\there"]));
    file("vars.env", "A=1\n# comment\nB=two words\n\nC='quoted'\n");
    files[`${name}/kustomization.yaml`] = yaml(body(file));
    return name;
  };
  const resources = (name: string, file: (path: string, text: string) => string, most: number): string[] =>
    dice.times(1, most, (index) => {
      const objects = dice
        .times(1, 4, () => anyObject(dice))
        .filter((object) => {
          const twin = known.objects.some(
            (other) => kindOf(other) === kindOf(object) && nameOf(other) === nameOf(object),
          );
          if (twin && !dice.chance(CARELESS)) return false;
          known.objects.push(object);
          return true;
        });
      if (objects.length === 0)
        objects.push({ apiVersion: "v1", kind: "Thing", metadata: { name: `${name}-${index}` } });
      return file(
        `r${index}.yaml`,
        dice.chance(0.1) ? yaml({ apiVersion: "v1", kind: "List", items: objects }) : stream(objects),
      );
    });
  const bases = dice.times(1, 2, (index) =>
    folder(`base${index}`, (file) => ({
      resources: resources(`base${index}`, file, 2),
      ...(dice.chance(0.5) ? transformations(dice, known, file) : {}),
    })),
  );
  const components = dice.chance(0.3)
    ? [
        folder("component", (file) => ({
          apiVersion: "kustomize.config.k8s.io/v1alpha1",
          kind: "Component",
          ...transformations(dice, known, file),
        })),
      ]
    : [];
  const middle = dice.chance(0.3)
    ? [
        folder("middle", (file) => ({
          resources: bases.map((base) => `../${base}`),
          ...transformations(dice, known, file),
        })),
      ]
    : bases;
  folder("app", (file) => ({
    ...dice.maybe(0.3, "apiVersion", () => "kustomize.config.k8s.io/v1beta1"),
    resources: [...middle.map((base) => `../${base}`), ...(dice.chance(0.4) ? resources("app", file, 1) : [])],
    ...(components.length > 0 ? { components: components.map((component) => `../${component}`) } : {}),
    ...transformations(dice, known, file),
  }));
  return files;
}
