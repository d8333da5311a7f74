import type { plugin } from "@tiphys/proto";
import type { Archive } from "./archive.js";
import type { EnvironmentEntry } from "./environment.js";

/** A source as a plugin gets it. */
export interface PluginSource {
  /** The source's folder, from the top of the repository. */
  readonly path: string;
  readonly env: readonly EnvironmentEntry[];
  /** The repository's files, packed once for all plugins that are asked. `modes` keeps what is executable so. */
  archive(options: { readonly modes: boolean }): Promise<Archive>;
}

export interface PluginSetup {
  /** Without it a plugin takes only sources that name it. */
  readonly discovery: boolean;
  /** The plugin wants the repository's credentials. */
  readonly gitCredentials: boolean;
}

export type ParameterAnnouncement = plugin.ParameterAnnouncement;

/** One plugin, whether it runs beside us or is a command of ours. Errors name the plugin. */
export interface ConfigPlugin {
  /** As `spec.source.plugin.name` has it: its name, and its version after a dash if there is one. */
  readonly name: string;
  setup(signal?: AbortSignal): Promise<PluginSetup>;
  /** Whether its discovery finds something in the source. */
  matches(source: PluginSource, signal?: AbortSignal): Promise<{ supported: boolean; discovery: boolean }>;
  /** The manifests: YAML or JSON, one or more documents in each text. */
  generate(source: PluginSource, signal?: AbortSignal): Promise<readonly string[]>;
  parameters(source: PluginSource, signal?: AbortSignal): Promise<readonly ParameterAnnouncement[]>;
}
