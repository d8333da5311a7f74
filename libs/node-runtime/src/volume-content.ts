import { normalize } from "node:path";
import type { KubeObject } from "@tiphys/resources";
import { ContainerConfigError, decodeSecret, type EnvSources, resourceOf } from "./env.js";
import { fieldOf } from "./field-ref.js";
import { allContainers } from "./plan.js";

export interface IssuedToken {
  readonly token: string;
  /** Milliseconds since 1970; absent when nobody said. */
  readonly expiresAt?: number;
}

export interface VolumeSources extends EnvSources {
  token(audience: string | undefined, seconds: number): Promise<IssuedToken>;
  /** Host folder of an image's files; throws ContainerConfigError when this node has none. */
  imageRoot(reference: string): Promise<string>;
}

// biome-ignore lint/suspicious/noExplicitAny: volumes as the API gives them
export type Volume = Record<string, any> & { name: string };

export interface VolumeFile {
  readonly path: string;
  readonly data: Buffer;
  readonly mode: number;
}

/** The files of a volume, and what they were made of. */
export interface VolumeContent {
  readonly files: readonly VolumeFile[];
  /** The soonest end of a token among them, milliseconds since 1970. */
  readonly expiresAt?: number;
}

/** An object that a volume shows. */
export interface VolumeReference {
  readonly kind: "configmap" | "secret";
  readonly name: string;
}

const DEFAULT_MODE = 0o644;
const TOKEN_SECONDS = 3600;

interface Facts {
  readonly podIP: string;
  readonly hostIP: string;
}

export const isDataVolume = (volume: Volume): boolean =>
  ["configMap", "secret", "downwardAPI", "projected"].some((type) => volume[type] !== undefined);

// biome-ignore lint/suspicious/noExplicitAny: sources as the API gives them
const sourcesOf = (volume: Volume): readonly Record<string, any>[] =>
  volume["projected"]
    ? (volume["projected"].sources ?? []).map((source: object) =>
        Object.fromEntries(
          Object.entries(source).map(([type, value]) => [
            type,
            { defaultMode: volume["projected"].defaultMode, ...(value as object) },
          ]),
        ),
      )
    : [volume["secret"] ? { secret: { ...volume["secret"], name: volume["secret"].secretName } } : volume];

/** The objects that a volume is made of. */
export const referencesOf = (volume: Volume): readonly VolumeReference[] =>
  sourcesOf(volume).flatMap((source): VolumeReference[] => {
    if (source["configMap"]) return [{ kind: "configmap", name: source["configMap"].name }];
    if (source["secret"]) return [{ kind: "secret", name: source["secret"].name }];
    return [];
  });

/** True when the volume shows the pod's own labels or annotations. */
export const showsPod = (volume: Volume): boolean =>
  sourcesOf(volume).some((source) => source["downwardAPI"] !== undefined);

/** Reads what a volume shows; throws ContainerConfigError naming what is missing or not supported. */
export async function contentOf(
  pod: KubeObject,
  volume: Volume,
  sources: VolumeSources,
  facts: Facts,
): Promise<VolumeContent> {
  if (!isDataVolume(volume)) {
    const kind = Object.keys(volume).find((key) => key !== "name") ?? "(none)";
    throw new ContainerConfigError(
      `volume ${volume.name}: type ${kind} is not supported by this node (supported: emptyDir, configMap, secret, downwardAPI, projected, image)`,
    );
  }
  const files: VolumeFile[] = [];
  const ends: number[] = [];
  for (const source of sourcesOf(volume)) {
    if (source["configMap"]) files.push(...(await keyed(pod, volume.name, "configmap", source["configMap"], sources)));
    else if (source["secret"]) files.push(...(await keyed(pod, volume.name, "secret", source["secret"], sources)));
    else if (source["downwardAPI"]) files.push(...downward(pod, volume.name, source["downwardAPI"], facts));
    else if (source["serviceAccountToken"]) {
      const { audience, expirationSeconds, path, defaultMode } = source["serviceAccountToken"];
      const { token, expiresAt } = await sources.token(audience, expirationSeconds ?? TOKEN_SECONDS);
      files.push({ path: safe(volume.name, path), data: Buffer.from(token), mode: defaultMode ?? DEFAULT_MODE });
      if (expiresAt !== undefined) ends.push(expiresAt);
    } else {
      throw new ContainerConfigError(
        `volume ${volume.name}: projected source ${Object.keys(source)[0]} is not supported by this node`,
      );
    }
  }
  return { files, ...(ends.length > 0 ? { expiresAt: Math.min(...ends) } : {}) };
}

/** A path inside its volume, or an error: `..` would leave it. */
export function safe(volume: string, path: string): string {
  const clean = normalize(path);
  if (clean.startsWith("..") || clean.startsWith("/")) {
    throw new ContainerConfigError(`volume ${volume}: path "${path}" leaves the volume`);
  }
  return clean;
}

interface KeyedSpec {
  name: string;
  optional?: boolean;
  defaultMode?: number;
  items?: { key: string; path: string; mode?: number }[];
}

async function keyed(
  pod: KubeObject,
  volume: string,
  kind: VolumeReference["kind"],
  spec: KeyedSpec,
  sources: VolumeSources,
): Promise<VolumeFile[]> {
  const object = kind === "secret" ? await sources.secret(spec.name) : await sources.configMap(spec.name);
  const failed = (problem: string): never => {
    throw new ContainerConfigError(`MountVolume.SetUp failed for volume "${volume}" : ${problem}`);
  };
  if (!object) return spec.optional ? [] : failed(`${kind} "${spec.name}" not found`);
  const data = new Map<string, Buffer>();
  for (const [key, value] of Object.entries<string>(object["data"] ?? {})) {
    data.set(key, kind === "secret" ? decodeSecret(value) : Buffer.from(value));
  }
  for (const [key, value] of Object.entries<string>(object["binaryData"] ?? {})) data.set(key, decodeSecret(value));
  const mode = spec.defaultMode ?? DEFAULT_MODE;
  if (!spec.items) return [...data].map(([path, content]) => ({ path, data: content, mode }));
  return spec.items.flatMap((item) => {
    const content = data.get(item.key);
    if (content) return [{ path: safe(volume, item.path), data: content, mode: item.mode ?? mode }];
    if (spec.optional) return [];
    return failed(
      kind === "configmap"
        ? `configmap references non-existent config key: ${item.key}`
        : `references non-existent secret key: ${item.key} (${pod.metadata.namespace}/${spec.name})`,
    );
  });
}

interface DownwardItem {
  path: string;
  mode?: number;
  fieldRef?: { fieldPath: string };
  resourceFieldRef?: { containerName?: string; resource: string; divisor?: string };
}

function downward(
  pod: KubeObject,
  volume: string,
  spec: { defaultMode?: number; items?: DownwardItem[] },
  facts: Facts,
): VolumeFile[] {
  return (spec.items ?? []).map((item) => {
    let value: string | undefined;
    if (item.fieldRef) value = fieldOf(pod, item.fieldRef.fieldPath, facts);
    else if (item.resourceFieldRef) {
      const container = allContainers(pod).find(({ name }) => name === item.resourceFieldRef?.containerName);
      if (container) value = resourceOf(container, item.resourceFieldRef);
    }
    if (value === undefined) {
      throw new ContainerConfigError(`volume ${volume}: item ${item.path} is not supported by this node`);
    }
    return {
      path: safe(volume, item.path),
      data: Buffer.from(value),
      mode: item.mode ?? spec.defaultMode ?? DEFAULT_MODE,
    };
  });
}
