import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Dialer } from "@tiphys/dialer";
import { InvalidArgumentError, messageOf } from "@tiphys/errors";
import type { NodeRuntimeDeps } from "@tiphys/node-runtime";
import type { Registries, RegistrySettings } from "@tiphys/oci";

type NodeSettings = Pick<NodeRuntimeDeps, "pull" | "mode" | "hostPaths">;

/** One registry as the settings file writes it; `caFile` is relative to that file. */
interface RegistryEntry extends RegistrySettings {
  readonly caFile?: string;
}

/**
 * How the node runtime pulls and runs, from the environment: `TIPHYS_REGISTRIES` names a JSON file
 * `{ "registries": { "host": { mirrors, plainHttp, caFile, insecureSkipVerify } }, "budgetBytes": 20000000000 }`,
 * `TIPHYS_NODE_MODE` is `fast` or `literal`, `TIPHYS_HOST_PATHS` lists folders for `hostPath` with colons between them.
 */
export async function nodeSettings(
  env: Readonly<Record<string, string | undefined>>,
  dialer: Dialer,
): Promise<NodeSettings> {
  const mode = env["TIPHYS_NODE_MODE"] || undefined;
  if (mode !== undefined && mode !== "fast" && mode !== "literal") {
    throw new InvalidArgumentError("TIPHYS_NODE_MODE", `"${mode}" is neither "fast" nor "literal"`);
  }
  const hostPaths = (env["TIPHYS_HOST_PATHS"] ?? "").split(":").filter(Boolean);
  const relative = hostPaths.find((path) => !path.startsWith("/"));
  if (relative) throw new InvalidArgumentError("TIPHYS_HOST_PATHS", `"${relative}" is no absolute path`);
  const file = env["TIPHYS_REGISTRIES"];
  return {
    pull: { dialer, ...(file ? await registriesOf(file) : {}) },
    ...(mode ? { mode } : {}),
    ...(hostPaths.length > 0 ? { hostPaths } : {}),
  };
}

async function registriesOf(file: string): Promise<{ registries?: Registries; budgetBytes?: number }> {
  let value: { registries?: Record<string, RegistryEntry>; budgetBytes?: number };
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new InvalidArgumentError("TIPHYS_REGISTRIES", `${file} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const registries: Record<string, RegistrySettings> = {};
  for (const [host, { caFile, ...settings }] of Object.entries(value.registries ?? {})) {
    const ca = caFile ? { ca: await readFile(resolve(dirname(file), caFile), "utf8") } : {};
    registries[host] = { ...settings, ...ca };
  }
  return { registries, ...(value.budgetBytes === undefined ? {} : { budgetBytes: value.budgetBytes }) };
}
