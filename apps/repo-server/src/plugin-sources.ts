import { digest } from "@tiphys/canonical-json";
import { LimitExceededError, messageOf, NotFoundError, UnimplementedError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import {
  type Archive,
  type ConfigPlugin,
  commandPlugin,
  createPlugins,
  type PluginFile,
  type PluginSettings,
  type PluginSource,
  packFiles,
  pluginVariables,
  readPluginConfig,
} from "@tiphys/plugin";
import type { Objects, RenderSource, Root } from "@tiphys/render";
import type { ApplicationSource, KubeObject } from "@tiphys/resources";
import type { Sandbox } from "@tiphys/sandbox";
import type { Logger } from "@tiphys/telemetry";
import { sealedRoot } from "./sops-objects.js";

/** Label of ConfigMaps in the control namespace whose values are ConfigManagementPlugins that we run. */
export const PLUGIN_LABEL = "tiphys.dev/config-management-plugin";
const DISCOVERIES_KEPT = 1_000;

export interface PluginHost {
  /** Folder of the sidecars' sockets; absent: no sidecars. */
  readonly socketFolder?: string;
  /** What commands of ours run in; asked for once one has to run. */
  readonly sandbox: () => Promise<Sandbox | undefined>;
}

export interface PluginSourcesDeps extends PluginHost {
  readonly log: Logger;
  /** ConfigMaps of the control namespace. */
  readonly configMaps: () => readonly KubeObject[];
  /** Whether we log in to read a repository. */
  readonly hasCredentials: (repoURL: string, project: string) => Promise<boolean>;
}

/** Sources that plugins render. */
export interface PluginSources {
  /** The source, with the plugin in it whose discovery finds it; the same where it says itself what it is, or none does. */
  detect(source: RenderSource): Promise<ApplicationSource>;
  render(source: RenderSource): Promise<readonly string[]>;
  /** Of all plugins that there are now, each once. */
  names(): Promise<readonly string[]>;
}

export function createPluginSources(deps: PluginSourcesDeps): PluginSources {
  const { log } = deps;
  const told = new Set<string>();
  const warn = (message: string, name: string, error: unknown) => {
    const problem = messageOf(error);
    if (told.has(name + problem)) return;
    told.add(name + problem);
    log.warn(message, { plugin: name, problem });
  };
  let sandbox: Promise<Sandbox | undefined> | undefined;
  const paths = new WeakMap<PluginSource, () => Promise<readonly string[]>>();

  const commands = async (): Promise<ConfigPlugin[]> => {
    const found: ConfigPlugin[] = [];
    for (const configMap of deps.configMaps()) {
      if (configMap.metadata.labels?.[PLUGIN_LABEL] !== "true") continue;
      for (const [key, text] of Object.entries((configMap["data"] ?? {}) as Record<string, string>)) {
        const name = `ConfigMap ${configMap.metadata.name}, ${key}`;
        try {
          sandbox ??= deps.sandbox();
          const of = { sandbox: await sandbox, paths: (source: PluginSource) => paths.get(source)?.() ?? [] };
          found.push(commandPlugin(readPluginConfig(text, name), { ...of, paths: async (source) => of.paths(source) }));
        } catch (error) {
          warn("a config management plugin is not used", name, error);
        }
      }
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  };
  const plugins = async () => {
    const ours = await commands();
    return createPlugins({ socketFolder: deps.socketFolder, commands: () => ours });
  };

  const exclude = (): string[] => {
    const settings = deps.configMaps().find(({ metadata }) => metadata.name === "argocd-cmd-params-cm");
    const data: Record<string, string> | undefined = settings?.["data"];
    return (data?.["reposerver.plugin.tar.exclusions"] ?? "").split(";").map((each) => each.trim());
  };

  const pluginSource = ({ source, context, roots }: RenderSource, settings: PluginSettings): PluginSource => {
    const root = sealedRoot(roots[""] as Root);
    let files: Promise<PluginFile[]> | undefined;
    const all = () => {
      files ??= filesOf(root.objects, root.id);
      return files;
    };
    const packed = new Map<boolean, Promise<Archive>>();
    const made: PluginSource = {
      path: (source.path ?? "")
        .split("/")
        .filter((part) => part !== "" && part !== ".")
        .join("/"),
      env: pluginVariables({ ...context, repoUrl: context.repoURL }, settings, context),
      archive({ modes }) {
        let archive = packed.get(modes);
        if (!archive) {
          archive = all().then((found) => packFiles(found, { exclude: exclude(), modes }));
          packed.set(modes, archive);
        }
        return archive;
      },
    };
    paths.set(made, async () => (await all()).map(({ path }) => path));
    return made;
  };

  /** Which plugin discovery found, by what it looked at. */
  const discovered = new Map<string, string>();
  const discover = async (source: RenderSource, settings: PluginSettings): Promise<ConfigPlugin | undefined> => {
    const all = await plugins();
    const list = await all.list();
    if (list.length === 0) return undefined;
    const key = digest([
      sealedRoot(source.roots[""] as Root).id,
      source.source.path,
      list.map(({ name }) => name),
      exclude(),
    ]);
    const known = source.noCache ? undefined : discovered.get(key);
    if (known !== undefined) return list.find(({ name }) => name === known);
    const found = await all.discover(pluginSource(source, settings), (name, error) =>
      warn("a config management plugin cannot be asked", name, error),
    );
    discovered.set(key, found?.name ?? "");
    for (const oldest of discovered.keys()) {
      if (discovered.size <= DISCOVERIES_KEPT) break;
      discovered.delete(oldest);
    }
    return found;
  };

  return {
    async names() {
      return [...new Set((await (await plugins()).list()).map(({ name }) => name))];
    },
    async detect(source) {
      const own = source.source;
      if (own.helm || own.kustomize || own.directory || own.plugin || source.roots[""]?.kind !== "folder") return own;
      const found = await discover(source, {});
      return found ? { ...own, plugin: { name: found.name } } : own;
    },
    async render(source) {
      const settings = (source.source.plugin ?? {}) as PluginSettings;
      const from = pluginSource(source, settings);
      const plugin = settings.name
        ? await (await plugins()).named(settings.name, from)
        : await discover(source, settings);
      if (!plugin) throw new NotFoundError("could not find plugin supporting the given repository");
      const { repoURL } = source.source;
      if ((await plugin.setup()).gitCredentials && (await deps.hasCredentials(repoURL, source.context.project))) {
        throw new UnimplementedError(`provideGitCreds of the plugin ${plugin.name}, for a repository with credentials`);
      }
      return await plugin.generate(from);
    },
  };
}

/** All files below a folder. */
async function filesOf(objects: Objects, id: string, prefix = ""): Promise<PluginFile[]> {
  const files: PluginFile[] = [];
  for (const entry of await objects.entries(id)) {
    const path = prefix + entry.name;
    if (entry.kind === "tree") files.push(...(await filesOf(objects, entry.id, `${path}/`)));
    else if (entry.kind !== "submodule") {
      const executable = (entry as { readonly executable?: boolean }).executable ?? false;
      files.push({
        path,
        kind: entry.kind === "symlink" ? "symlink" : executable ? "executable" : "file",
        data: () => objects.blob(entry.id, limits.pluginArchiveBytes),
      });
    }
    if (files.length > limits.pluginFiles) {
      throw new LimitExceededError(`the repository has more than ${limits.pluginFiles} files for a plugin`);
    }
  }
  return files;
}
