import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { FailedPreconditionError, InvalidArgumentError, messageOf, NotFoundError } from "@tiphys/errors";
import type { ConfigPlugin, PluginSource } from "./config-plugin.js";
import { sidecarPlugin } from "./sidecar.js";

export interface PluginsOptions {
  /** Where sidecars have their sockets; Argo CD's default is /home/argocd/cmp-server/plugins. */
  readonly socketFolder: string | undefined;
  /** Plugins that are commands of ours, asked after the sidecars. */
  readonly commands: () => readonly ConfigPlugin[];
}

/** All plugins that there are at the moment. */
export interface Plugins {
  list(): Promise<readonly ConfigPlugin[]>;
  /** The plugin of that name; its discovery, where it has one, must find something in the source. */
  named(name: string, source: PluginSource, signal?: AbortSignal): Promise<ConfigPlugin>;
  /**
   * The first plugin whose discovery finds something in the source; undefined where none does. A plugin that cannot be asked
   * is told to `failed` and passed over: it must not keep sources from being what they are without any plugin.
   */
  discover(
    source: PluginSource,
    failed: (plugin: string, error: unknown) => void,
    signal?: AbortSignal,
  ): Promise<ConfigPlugin | undefined>;
}

const SOCKET = ".sock";

export function createPlugins({ socketFolder, commands }: PluginsOptions): Plugins {
  const list = async (): Promise<ConfigPlugin[]> => {
    const entries = socketFolder
      ? await readdir(socketFolder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
          if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
          throw new FailedPreconditionError(`the plugins' folder ${socketFolder} cannot be read: ${error.message}`);
        })
      : [];
    const sockets = entries
      .filter((entry) => entry.isSocket() && entry.name.endsWith(SOCKET))
      .map((entry) => entry.name)
      .sort();
    return [
      ...sockets.map((name) => sidecarPlugin(name.slice(0, -SOCKET.length), join(socketFolder ?? "", name))),
      ...commands(),
    ];
  };
  return {
    list,
    named: async (name, source, signal) => named(name, await list(), source, signal),
    async discover(source, failed, signal) {
      for (const plugin of await list()) {
        const found = await takes(plugin, source, signal).catch((error: unknown) => {
          signal?.throwIfAborted();
          failed(plugin.name, error);
          return false;
        });
        if (found) return plugin;
      }
      return undefined;
    },
  };
}

async function takes(plugin: ConfigPlugin, source: PluginSource, signal?: AbortSignal): Promise<boolean> {
  if (!(await plugin.setup(signal)).discovery) return false;
  return (await plugin.matches(source, signal)).supported;
}

async function named(
  name: string,
  plugins: readonly ConfigPlugin[],
  source: PluginSource,
  signal?: AbortSignal,
): Promise<ConfigPlugin> {
  const problem = `could not find cmp-server plugin with name "${name}" supporting the given repository`;
  if (name.includes("/") || name.includes("..")) throw new InvalidArgumentError("spec.source.plugin.name", problem);
  const plugin = plugins.find((each) => each.name === name);
  if (!plugin) {
    const known = plugins.map((each) => each.name).join(", ");
    throw new NotFoundError(`${problem}: ${known === "" ? "there are no plugins" : `there are ${known}`}`);
  }
  const setup = await plugin.setup(signal).catch((error: unknown) => {
    throw new FailedPreconditionError(`${problem}: ${messageOf(error)}`, { cause: error });
  });
  if (!setup.discovery) return plugin;
  const { supported, discovery } = await plugin.matches(source, signal);
  if (supported || !discovery) return plugin;
  throw new FailedPreconditionError(`${problem}: its discovery finds nothing there`);
}
