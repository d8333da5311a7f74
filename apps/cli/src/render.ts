import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { InvalidArgumentError } from "@tiphys/errors";
import { loadArchive } from "@tiphys/helm";
import { limits } from "@tiphys/limits";
import {
  type RenderedObject,
  renderHelm,
  renderJsonnet,
  renderSource,
  type SourceOptions,
  type SourceTree,
} from "@tiphys/render";
import { toYaml } from "@tiphys/yaml";

export interface RenderFlags {
  readonly name?: string;
  readonly namespace?: string;
  readonly values?: readonly string[];
  readonly set?: readonly string[];
  readonly setString?: readonly string[];
  readonly setFile?: readonly string[];
  readonly setJson?: readonly string[];
  readonly setLiteral?: readonly string[];
  readonly apiVersions?: readonly string[];
  readonly kubeVersion?: string;
  readonly includeCrds?: boolean;
  readonly skipTests?: boolean;
  readonly hooks?: boolean;
  readonly recurse?: boolean;
  readonly include?: string;
  readonly exclude?: string;
  readonly extStr?: readonly string[];
  readonly extCode?: readonly string[];
  readonly tlaStr?: readonly string[];
  readonly tlaCode?: readonly string[];
  readonly jpath?: readonly string[];
  readonly output: string;
}

/** Files of this machine by their paths without the first slash, so that a base may lie anywhere, as for kubectl. */
export function localFiles(): SourceTree {
  const kindOf = (path: string): "file" | "folder" | undefined => {
    try {
      const found = statSync(`/${path}`);
      return found.isDirectory() ? "folder" : found.isFile() ? "file" : undefined;
    } catch {
      return undefined;
    }
  };
  return {
    file: (path) => {
      if (kindOf(path) !== "file") return undefined;
      if (statSync(`/${path}`).size > limits.yamlFileBytes) {
        throw new InvalidArgumentError("", `/${path}: the file is larger than ${limits.yamlFileBytes} bytes`);
      }
      return readFileSync(`/${path}`);
    },
    isFolder: (path) => kindOf(path) === "folder",
    list: (path) => (kindOf(path) === "folder" ? readdirSync(`/${path}`).sort() : []),
  };
}

/** `name=value` as a map; the value of a name alone is empty. */
const pairs = <T>(given: readonly string[] | undefined, make: (value: string) => T): [string, T][] =>
  (given ?? []).map((pair) => {
    const sign = pair.indexOf("=");
    return sign < 0 ? [pair, make("")] : [pair.slice(0, sign), make(pair.slice(sign + 1))];
  });

/** Renders a source of any kind without a cluster, a server or the network; `timeZone` is what templates call `Local`. */
export function render(path: string, flags: RenderFlags, now: () => number, timeZone = ""): string {
  const { output } = flags;
  if (output !== "yaml" && output !== "json") {
    throw new InvalidArgumentError("--output", `${output} is no format of manifests: they are written as yaml or json`);
  }
  const full = resolve(path).slice(1);
  const tree = localFiles();
  const text = (file: string): string => readFileSync(file, "utf8");
  const outside = {
    ...Object.fromEntries(pairs(flags.extStr, (value) => ({ text: value }))),
    ...Object.fromEntries(pairs(flags.extCode, (value) => ({ code: value }))),
  };
  const top = {
    ...Object.fromEntries(pairs(flags.tlaStr, (value) => ({ text: value }))),
    ...Object.fromEntries(pairs(flags.tlaCode, (value) => ({ code: value }))),
  };
  const options: SourceOptions = {
    environment: { now, random: (count) => randomBytes(count), timeZone },
    readFile: text,
    helm: {
      releaseName: flags.name ?? "release-name",
      files: (flags.values ?? []).map((file) => ({ name: file, text: text(file) })),
      ...(flags.set ? { set: flags.set } : {}),
      ...(flags.setString ? { setString: flags.setString } : {}),
      ...(flags.setFile ? { setFile: flags.setFile } : {}),
      ...(flags.setJson ? { json: flags.setJson } : {}),
      ...(flags.setLiteral ? { setLiteral: flags.setLiteral } : {}),
      ...(flags.namespace ? { namespace: flags.namespace } : {}),
      ...(flags.kubeVersion ? { kubeVersion: flags.kubeVersion } : {}),
      apiVersions: (flags.apiVersions ?? []).flatMap((each) => each.split(",")),
      includeCrds: flags.includeCrds ?? false,
      skipTests: flags.skipTests ?? false,
      skipHooks: flags.hooks === false,
    },
    directory: {
      recurse: flags.recurse ?? false,
      ...(flags.include ? { include: flags.include } : {}),
      ...(flags.exclude ? { exclude: flags.exclude } : {}),
      jsonnet: {
        extVars: outside,
        topLevelArguments: top,
        libraries: (flags.jpath ?? []).map((folder) => resolve(folder).slice(1)),
      },
    },
  };
  return written(objectsOf(tree, full, path, options), output);
}

function objectsOf(tree: SourceTree, full: string, path: string, options: SourceOptions): readonly RenderedObject[] {
  if (tree.isFolder(full)) return renderSource(tree, full, options).objects;
  const data = tree.file(full);
  if (!data) throw new InvalidArgumentError("", `${path}: there is no such file or folder`);
  if (/\.t(?:ar\.)?gz$/.test(path)) return renderHelm(loadArchive(data), options);
  if (path.endsWith(".jsonnet")) return renderJsonnet(tree, full, options.directory ?? {});
  const folder = dirname(full);
  return renderSource(
    { ...tree, list: (asked) => (asked === folder ? [basename(full)] : tree.list(asked)) },
    folder,
    options,
  ).objects;
}

function written(objects: readonly RenderedObject[], output: string): string {
  if (output === "yaml") return objects.map(({ object }) => `---\n${toYaml(object)}`).join("");
  const bigger = (_: string, value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);
  return `${JSON.stringify(
    objects.map(({ object }) => object),
    bigger,
    2,
  )}\n`;
}
