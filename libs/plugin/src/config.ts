import { InvalidArgumentError } from "@tiphys/errors";
import { parseYaml } from "@tiphys/yaml";
import type { ParameterAnnouncement } from "./config-plugin.js";

export interface PluginCommand {
  /** Never empty: the program and its arguments. */
  readonly argv: readonly [string, ...string[]];
}

/** A ConfigManagementPlugin: the file plugin.yaml of a sidecar. */
export interface PluginConfig {
  readonly name: string;
  readonly version: string;
  readonly init?: PluginCommand;
  readonly generate: PluginCommand;
  /** The first that is set is what counts. */
  readonly discover:
    | { readonly by: "fileName" | "glob"; readonly pattern: string }
    | { readonly by: "command"; readonly command: PluginCommand }
    | undefined;
  readonly parameters: { readonly static: readonly ParameterAnnouncement[]; readonly dynamic?: PluginCommand };
  readonly preserveFileMode: boolean;
  readonly provideGitCreds: boolean;
  /** Ours: its commands may use the network. */
  readonly network: boolean;
}

export const PLUGIN_NETWORK_ANNOTATION = "plugins.tiphys.dev/network";

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads plugin.yaml. `source` names it in errors. */
export function readPluginConfig(text: string, source: string): PluginConfig {
  const bad = (field: string, problem: string) => new InvalidArgumentError(`${source}: ${field}`, problem);
  const root = parseYaml(text, { file: source });
  if (!isFields(root)) throw bad("kind", "should be ConfigManagementPlugin");
  if (root["kind"] !== "ConfigManagementPlugin") {
    throw bad("kind", `should be ConfigManagementPlugin, found ${String(root["kind"] ?? "nothing")}`);
  }
  const fields = (from: Fields, name: string, at: string): Fields => {
    const value = from[name] ?? {};
    if (!isFields(value)) throw bad(at, "is not a mapping");
    return value;
  };
  const words = (from: Fields, name: string, at: string): string[] => {
    const value = from[name] ?? [];
    if (!Array.isArray(value) || value.some((word) => typeof word !== "string"))
      throw bad(at, "is not a list of texts");
    return value as string[];
  };
  const string = (from: Fields, name: string, at: string): string => {
    const value = from[name] ?? "";
    if (typeof value !== "string") throw bad(at, "is not a text");
    return value;
  };
  const command = (from: Fields, at: string): PluginCommand | undefined => {
    const [program, ...rest] = words(from, "command", `${at}.command`);
    if (program === undefined) return undefined;
    return { argv: [program, ...rest, ...words(from, "args", `${at}.args`)] };
  };
  const metadata = fields(root, "metadata", "metadata");
  const spec = fields(root, "spec", "spec");
  const name = string(metadata, "name", "metadata.name");
  if (name === "" || /[/\s]/.test(name)) throw bad("metadata.name", "should be non-empty, without slashes and blanks");
  const generate = command(fields(spec, "generate", "spec.generate"), "spec.generate");
  if (!generate) throw bad("spec.generate.command", "should be non-empty");
  const init = command(fields(spec, "init", "spec.init"), "spec.init");
  const discover = fields(spec, "discover", "spec.discover");
  const find = fields(discover, "find", "spec.discover.find");
  const fileName = string(discover, "fileName", "spec.discover.fileName");
  const glob = string(find, "glob", "spec.discover.find.glob");
  const finder = command(find, "spec.discover.find");
  const parameters = fields(spec, "parameters", "spec.parameters");
  const announced = parameters["static"] ?? [];
  if (!Array.isArray(announced) || !announced.every(isFields)) throw bad("spec.parameters.static", "is not a list");
  const dynamic = command(fields(parameters, "dynamic", "spec.parameters.dynamic"), "spec.parameters.dynamic");
  const annotations = fields(metadata, "annotations", "metadata.annotations");
  return {
    name,
    version: string(spec, "version", "spec.version"),
    ...(init ? { init } : {}),
    generate,
    discover:
      fileName !== ""
        ? { by: "fileName", pattern: fileName }
        : glob !== ""
          ? { by: "glob", pattern: glob }
          : finder && { by: "command", command: finder },
    parameters: { static: announced.map(announcementOf), ...(dynamic ? { dynamic } : {}) },
    preserveFileMode: spec["preserveFileMode"] === true,
    provideGitCreds: spec["provideGitCreds"] === true,
    network: annotations[PLUGIN_NETWORK_ANNOTATION] === "allowed",
  };
}

const text = (value: unknown): string | undefined =>
  value === undefined || value === null ? undefined : String(value);

/** A parameter as plugin.yaml, or a command's JSON, announces it. */
export function announcementOf(fields: Fields): ParameterAnnouncement {
  const { array, map } = fields;
  const entries: [keyof ParameterAnnouncement, unknown][] = [
    ["name", text(fields["name"])],
    ["title", text(fields["title"])],
    ["tooltip", text(fields["tooltip"])],
    ["required", fields["required"] === true || undefined],
    ["itemType", text(fields["itemType"])],
    ["collectionType", text(fields["collectionType"])],
    ["string", text(fields["string"])],
    ["array", Array.isArray(array) ? array.map(String) : undefined],
    [
      "map",
      isFields(map) ? Object.fromEntries(Object.entries(map).map(([key, value]) => [key, String(value)])) : undefined,
    ],
  ];
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}
