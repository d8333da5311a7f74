import { arch } from "node:os";
import type { Clock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import { messageOf } from "@tiphys/errors";
import {
  createImageStore,
  createRegistryClient,
  formatReference,
  type ImageStore,
  InvalidReferenceError,
  type Keyring,
  keyringOf,
  parseReference,
  type Reference,
  type Registries,
  type StoredImage,
  withDefaultTag,
} from "@tiphys/oci";
import type { KubeObject } from "@tiphys/resources";
import type { Logger } from "@tiphys/telemetry";
import { goDuration } from "./duration.js";
import { decodeSecret } from "./env.js";
import { type ImageEntry, type ImageTable, resolveImage } from "./images.js";
import type { PodContainer } from "./plan.js";

/** Where images come from besides the host-program table. */
export interface PullSettings {
  readonly dialer: Dialer;
  readonly registries?: Registries;
  /** Bytes of unpacked images that stay when no pod uses them; 20 GB by default. */
  readonly budgetBytes?: number;
}

/** An image that can run here: programs of the host, or files of its own. */
export interface RunnableImage {
  readonly entry: ImageEntry;
  /** `User` of its config. */
  readonly user: string;
  readonly stopSignal?: string;
  /** Folder with its files, which are never written to; absent for programs of the host. */
  readonly files?: string;
  /** As status shows them. */
  readonly name: string;
  readonly imageId: string;
}

export type ImageReason = "ErrImagePull" | "ErrImageNeverPull" | "InvalidImageName" | "ImageInspectError";

/** An image that a container cannot have now, with a kubelet's reason. */
export class ImageError extends Error {
  override readonly name = "ImageError";
  constructor(
    readonly reason: ImageReason,
    message: string,
  ) {
    super(message);
  }
}

export interface ImageManagerDeps {
  readonly table: ImageTable;
  readonly has: (program: string) => boolean;
  readonly pull?: PullSettings;
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly event: (pod: KubeObject, type: "Normal" | "Warning", reason: string, message: string) => void;
  /** Secrets of the pod's namespace; undefined is "not there". */
  readonly secret: (pod: KubeObject, name: string) => Promise<KubeObject | undefined>;
  readonly serviceAccount: (pod: KubeObject, name: string) => Promise<KubeObject | undefined>;
}

export interface ImageManager {
  /** The image of a container, pulled when its policy says so; throws ImageError. `literal` leaves the host's programs out. */
  ensure(pod: KubeObject, container: PodContainer, literal: boolean, signal: AbortSignal): Promise<RunnableImage>;
  /** A program of the host that stands for an image, where one may. */
  hosted(reference: string, literal: boolean): RunnableImage | undefined;
  /** What is here without asking anybody. */
  find(pod: KubeObject, reference: string, literal: boolean): Promise<RunnableImage | undefined>;
  /** The pod is gone: what only it used may be removed. */
  release(uid: string): void;
  collect(): Promise<void>;
  /** For the node's status. */
  list(): Promise<readonly { names: readonly string[]; size: number }[]>;
}

const DEFAULT_BUDGET = 20e9;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export function createImageManager(deps: ImageManagerDeps): ImageManager {
  const { event, clock, log } = deps;
  const used = new Map<string, Set<string>>();
  let opened: Promise<ImageStore> | undefined;

  function store(pull: PullSettings): Promise<ImageStore> {
    opened ??= createImageStore({
      client: createRegistryClient({
        dialer: pull.dialer,
        clock,
        ...(pull.registries ? { registries: pull.registries } : {}),
      }),
      dir: deps.dir,
      platform: { os: "linux", architecture: { x64: "amd64" }[arch()] ?? arch() },
      owners: process.getuid?.() === 0,
      budgetBytes: pull.budgetBytes ?? DEFAULT_BUDGET,
      log,
    });
    opened.catch(() => {
      opened = undefined;
    });
    return opened;
  }

  function parse(text: string): Reference {
    try {
      return withDefaultTag(parseReference(text));
    } catch (error) {
      const problem = error instanceof InvalidReferenceError ? error.problem : messageOf(error);
      throw new ImageError(
        "InvalidImageName",
        `Failed to apply default image tag "${text}": couldn't parse image name "${text}": ${problem}`,
      );
    }
  }

  function stored(pod: KubeObject, reference: Reference, image: StoredImage): RunnableImage {
    const uid = pod.metadata.uid!;
    const own = used.get(uid) ?? new Set();
    used.set(uid, own.add(image.id));
    const { Entrypoint, Cmd, Env, User, WorkingDir, StopSignal } = image.config.config ?? {};
    const env: Record<string, string> = { PATH: DEFAULT_PATH };
    for (const pair of Env ?? []) {
      const equals = pair.indexOf("=");
      if (equals > 0) env[pair.slice(0, equals)] = pair.slice(equals + 1);
    }
    return {
      entry: {
        pattern: formatReference(reference),
        ...(Entrypoint ? { entrypoint: Entrypoint } : {}),
        ...(Cmd ? { cmd: Cmd } : {}),
        ...(WorkingDir ? { workingDir: WorkingDir } : {}),
        env,
      },
      user: User ?? "",
      ...(StopSignal ? { stopSignal: StopSignal } : {}),
      files: image.root,
      name: formatReference(reference),
      imageId: image.repoDigest,
    };
  }

  const hostImage = (text: string, entry: ImageEntry): RunnableImage => ({
    entry,
    user: "",
    name: text,
    imageId: `tiphys://host/${entry.pattern}`,
  });

  function hosted(text: string, literal: boolean): RunnableImage | undefined {
    if (literal) return undefined;
    const table = resolveImage(text, deps.table, deps.has);
    return table.runnable ? hostImage(text, table.entry) : undefined;
  }

  /** Credentials of the pod's pull secrets, or of its ServiceAccount's when it names none. */
  async function keyring(pod: KubeObject): Promise<Keyring | undefined> {
    let names: { name?: string }[] = pod["spec"]?.imagePullSecrets ?? [];
    if (names.length === 0) {
      const account = await deps
        .serviceAccount(pod, pod["spec"]?.serviceAccountName ?? "default")
        .catch(() => undefined);
      names = account?.["imagePullSecrets"] ?? [];
    }
    const documents: string[] = [];
    const missing: string[] = [];
    for (const { name = "" } of names) {
      const data = (await deps.secret(pod, name).catch(() => undefined))?.["data"] as
        | Record<string, string>
        | undefined;
      const text = data?.[".dockerconfigjson"] ?? data?.[".dockercfg"];
      if (text === undefined) missing.push(name);
      else documents.push(decodeSecret(text).toString("utf8"));
    }
    if (missing.length > 0) {
      const message = `Unable to retrieve some image pull secrets (${missing.join(", ")}); attempting to pull the image may not succeed.`;
      event(pod, "Warning", "FailedToRetrieveImagePullSecret", message);
    }
    if (documents.length === 0) return undefined;
    try {
      return keyringOf(documents);
    } catch (error) {
      throw new ImageError("ErrImagePull", `an image pull secret of the pod is not usable: ${messageOf(error)}`);
    }
  }

  async function ensure(
    pod: KubeObject,
    container: PodContainer,
    literal: boolean,
    signal: AbortSignal,
  ): Promise<RunnableImage> {
    const text: string = container["image"] ?? "";
    const reference = parse(text);
    const table = resolveImage(text, literal ? [] : deps.table, deps.has);
    if (table.runnable) return hostImage(text, table.entry);
    if (!deps.pull) throw new ImageError("ErrImagePull", table.message);
    const images = await store(deps.pull);
    const latest = reference.tag === "latest" && reference.digest === undefined;
    const policy: string = container["imagePullPolicy"] ?? (latest ? "Always" : "IfNotPresent");
    const present = policy === "Always" ? undefined : await images.find(reference);
    if (present) {
      event(
        pod,
        "Normal",
        "Pulled",
        `Container image "${text}" already present on machine and can be accessed by the pod`,
      );
      return stored(pod, reference, present);
    }
    if (policy === "Never") {
      const message = `Container image "${text}" is not present with pull policy of Never`;
      event(pod, "Warning", "ErrImageNeverPull", message);
      throw new ImageError("ErrImageNeverPull", message);
    }
    event(pod, "Normal", "Pulling", `Pulling image "${text}"`);
    const begun = clock.monotonic();
    try {
      const ring = await keyring(pod);
      const image = await images.pull(reference, { signal, ...(ring ? { keyring: ring } : {}) });
      const took = goDuration(clock.monotonic() - begun);
      event(
        pod,
        "Normal",
        "Pulled",
        `Successfully pulled image "${text}" in ${took} (${took} including waiting). Image size: ${image.size} bytes.`,
      );
      return stored(pod, reference, image);
    } catch (error) {
      const message =
        error instanceof ImageError
          ? error.message
          : `failed to pull and unpack image "${formatReference(reference)}": ${messageOf(error)}`;
      event(pod, "Warning", "Failed", `Failed to pull image "${text}": ${message}`);
      throw new ImageError("ErrImagePull", message);
    }
  }

  return {
    ensure,
    hosted,
    async find(pod, text, literal) {
      const table = resolveImage(text, literal ? [] : deps.table, () => true);
      if (table.runnable) return hostImage(text, table.entry);
      if (!deps.pull) return undefined;
      const reference = parse(text);
      const image = await (await store(deps.pull)).find(reference);
      return image && stored(pod, reference, image);
    },
    release: (uid) => void used.delete(uid),
    async collect() {
      // A node that has pulled nothing has nothing to remove.
      if (!opened) return;
      await (await opened).collect(new Set([...used.values()].flatMap((ids) => [...ids])));
    },
    list: async () => (opened ? (await opened).list() : []),
  };
}
