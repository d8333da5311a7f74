import { FailedPreconditionError, InvalidArgumentError, messageOf, TiphysError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { type Sandbox, shellWord } from "@tiphys/sandbox";
import { announcementOf, type PluginCommand, type PluginConfig } from "./config.js";
import type { ConfigPlugin, ParameterAnnouncement, PluginSource } from "./config-plugin.js";
import { cleanPattern, goGlob } from "./glob.js";

export interface CommandPluginDeps {
  /** Absent where this host has none: nothing runs then. */
  readonly sandbox: Sandbox | undefined;
  /** Where the source's files are known without packing them. */
  readonly paths: (source: PluginSource) => Promise<readonly string[]>;
}

/** What our own script says last when a step failed. */
const STEP = "tiphys-step:";

/** A plugin whose commands we run, in a sandbox that has the source's files and nothing else. */
export function commandPlugin(config: PluginConfig, deps: CommandPluginDeps): ConfigPlugin {
  const name = config.version === "" ? config.name : `${config.name}-${config.version}`;
  const { discover } = config;
  const told = (error: unknown): never => {
    if (error instanceof TiphysError) error.message = `plugin ${name}: ${error.message}`;
    throw error;
  };

  /** Unpacks the files and runs the steps in the source's folder; the output is that of the last one. */
  const run = async (
    source: PluginSource,
    steps: readonly (readonly [string, PluginCommand])[],
    signal?: AbortSignal,
  ) => {
    if (!deps.sandbox) {
      throw new FailedPreconditionError(
        "its commands are not run, as this host has no sandbox: install bubblewrap, or run it as a sidecar",
      );
    }
    const archive = await source.archive({ modes: config.preserveFileMode });
    const lines = ["tar -xzf - -C /work --no-same-owner >&2", `cd /work/${shellWord(source.path || ".")}`];
    steps.forEach(([step, { argv }], i) => {
      const command = argv.map(shellWord).join(" ");
      const last = i === steps.length - 1;
      lines.push(
        `{ ${command}${last ? "" : " >/dev/null"}; } </dev/null || { code=$?; echo ${STEP}${step} >&2; exit $code; }`,
      );
    });
    const result = await deps.sandbox.run(
      {
        script: lines.join("\n"),
        input: archive.bytes,
        // The last of equal names counts, as in any environment.
        env: Object.fromEntries(source.env.map((entry) => [entry.name, entry.value])),
        network: config.network,
      },
      signal,
    );
    if (result.code === 0) return result.stdout.toString("utf8");
    const lastLine = result.stderr.trimEnd().split("\n").at(-1) ?? "";
    const failed = lastLine.startsWith(STEP) ? lastLine.slice(STEP.length) : "unpacking the files";
    const words = result.stderr.replace(`${STEP}${failed}`, "").trim().slice(-limits.programMessageBytes);
    const how = result.signal ? `was ended by ${result.signal}` : `failed with exit code ${result.code}`;
    throw new FailedPreconditionError(`${failed} ${how}${words === "" ? "" : `: ${words}`}`);
  };

  return {
    name,
    setup: async () => ({ discovery: discover !== undefined, gitCredentials: config.provideGitCreds }),
    async matches(source, signal) {
      if (!discover) return { supported: false, discovery: false };
      if (discover.by === "command") {
        const output = await run(source, [["the find command", discover.command]], signal).catch(told);
        return { supported: output.replace(/\n$/, "") !== "", discovery: true };
      }
      const prefix = source.path === "" ? "" : `${source.path}/`;
      const glob = goGlob(cleanPattern(discover.pattern), { doubleStar: discover.by === "glob" });
      if (!glob) throw new InvalidArgumentError("", `plugin ${name}: the pattern "${discover.pattern}" is malformed`);
      const paths = await deps.paths(source);
      // Folders can be found too.
      const found = paths.some(
        (path) => path.startsWith(prefix) && withFolders(path.slice(prefix.length)).some((each) => glob.test(each)),
      );
      return { supported: found, discovery: true };
    },
    async generate(source, signal) {
      const steps: [string, PluginCommand][] = [["the generate command", config.generate]];
      if (config.init) steps.unshift(["the init command", config.init]);
      return [await run(source, steps, signal).catch(told)];
    },
    async parameters(source, signal) {
      const { dynamic } = config.parameters;
      if (!dynamic) return config.parameters.static;
      const output = await run(source, [["the parameters command", dynamic]], signal).catch(told);
      return [...announcements(output, name), ...config.parameters.static];
    },
  };
}

/** `a/b/c` → `a`, `a/b`, `a/b/c`. */
const withFolders = (path: string): string[] => {
  const parts = path.split("/");
  return parts.map((_part, i) => parts.slice(0, i + 1).join("/"));
};

function announcements(output: string, name: string): ParameterAnnouncement[] {
  try {
    const list: unknown = JSON.parse(output);
    if (!Array.isArray(list)) throw new Error("it is no list");
    return list.map((each: unknown) => announcementOf((each ?? {}) as Record<string, unknown>));
  } catch (error) {
    throw new InvalidArgumentError(
      "",
      `plugin ${name}: what its parameters command writes is not read: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}
