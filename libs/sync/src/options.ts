import type { KubeObject } from "@tiphys/resources";

const SYNC_OPTIONS = "argocd.argoproj.io/sync-options";

/** Values that are honoured, by option; any other value is refused by name. */
const honoured: Readonly<Record<string, readonly string[]>> = {
  CreateNamespace: ["true", "false"],
  Prune: ["true", "false"],
  Delete: ["true", "false"],
  Validate: ["true", "false"],
  PruneLast: ["true", "false"],
  PrunePropagationPolicy: ["foreground", "background", "orphan"],
  Replace: ["true", "false"],
  Force: ["false"],
  ServerSideApply: ["true"],
  ClientSideApplyMigration: ["false"],
  ApplyOutOfSyncOnly: ["true", "false"],
  SkipDryRunOnMissingResource: ["true", "false"],
  FailOnSharedResource: ["true", "false"],
  RespectIgnoreDifferences: ["true", "false"],
};

export type SyncOptions = Readonly<Record<string, string>>;

export function parseSyncOptions(options: readonly string[] = []): SyncOptions {
  const parsed: Record<string, string> = {};
  for (const option of options) {
    const [key = "", value = "true"] = option.trim().split("=");
    if (key) parsed[key] = value;
  }
  return parsed;
}

/** The options of one manifest's annotation. */
export const objectSyncOptions = (object: KubeObject | undefined): SyncOptions =>
  parseSyncOptions(object?.metadata.annotations?.[SYNC_OPTIONS]?.split(","));

/** The first option that is unknown or not honoured yet, or undefined when all are fine. */
export function refusedOption(options: SyncOptions): string | undefined {
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(honoured, key)) return `sync option ${key}=${value} is not known`;
    if (!honoured[key]?.includes(value)) return `sync option ${key}=${value} is not implemented yet`;
  }
  return undefined;
}
