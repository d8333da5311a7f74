/** One row of the image table: which images it stands for and what of this host runs them. */
export interface ImageEntry {
  /** Glob (`*`) on the repository, or on `repository:tag` when it holds a colon; `docker.io/` and `library/` are left out. */
  readonly pattern: string;
  /** Host programs without which the image cannot run here. */
  readonly requires?: readonly string[];
  /** What the image runs when the container names no `command`. */
  readonly entrypoint?: readonly string[];
  /** What the image passes when the container names neither `command` nor `args`. */
  readonly cmd?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  /** Host folder that a volume of type `image` shows, read-only. */
  readonly root?: string;
  /** Host paths seen (read-only) in the container. */
  readonly mounts?: readonly { readonly source: string; readonly target: string }[];
}

export type ImageTable = readonly ImageEntry[];

/** Images that this runtime stands in for with programs of the host. Everything else is reported as not runnable. */
export const defaultImages: ImageTable = [
  { pattern: "alpine", requires: ["sh"], cmd: ["/bin/sh"] },
  { pattern: "busybox", requires: ["sh"], cmd: ["sh"] },
  { pattern: "debian", requires: ["sh"], cmd: ["sh"] },
  { pattern: "ubuntu", requires: ["sh"], cmd: ["sh"] },
  { pattern: "bash", requires: ["bash"], cmd: ["bash"] },
  { pattern: "node", requires: ["node"], cmd: ["node"] },
  { pattern: "python", requires: ["python3"], cmd: ["python3"] },
  { pattern: "curlimages/curl", requires: ["curl"], entrypoint: ["curl"] },
  { pattern: "alpine/curl", requires: ["curl"], entrypoint: ["curl"] },
  { pattern: "alpine/git", requires: ["git"], entrypoint: ["git"] },
  { pattern: "bitnami/git", requires: ["git"], cmd: ["bash"] },
  { pattern: "registry.k8s.io/pause", requires: ["sleep"], entrypoint: ["sleep", "2147483647"] },
];

export type ImageAnswer =
  | { readonly runnable: true; readonly entry: ImageEntry }
  | { readonly runnable: false; readonly reason: "ErrImagePull" | "InvalidImageName"; readonly message: string };

/** `docker.io/library/node:20@sha256:…` → `{ repository: "node", tag: "20" }`. */
export function parseImage(image: string): { repository: string; tag: string } {
  const plain = image.replace(/@sha256:[0-9a-f]+$/, "");
  const slash = plain.lastIndexOf("/");
  const colon = plain.indexOf(":", slash + 1);
  const named = colon < 0 ? plain : plain.slice(0, colon);
  return {
    repository: named.replace(/^(index\.)?docker\.io\//, "").replace(/^library\//, ""),
    tag: colon < 0 ? "latest" : plain.slice(colon + 1),
  };
}

const globs = new Map<string, RegExp>();
function matches(pattern: string, text: string): boolean {
  let glob = globs.get(pattern);
  if (!glob) {
    glob = new RegExp(
      `^${pattern
        .split("*")
        .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
        .join(".*")}$`,
    );
    globs.set(pattern, glob);
  }
  return glob.test(text);
}

const VALID = /^[a-zA-Z0-9][a-zA-Z0-9._\-/:]*(@sha256:[0-9a-f]{64})?$/;

/** The first row that stands for `image` and can run here, or why there is none. */
export function resolveImage(image: string, table: ImageTable, has: (program: string) => boolean): ImageAnswer {
  if (!VALID.test(image)) {
    return { runnable: false, reason: "InvalidImageName", message: `image "${image}" is not a valid image name` };
  }
  const { repository, tag } = parseImage(image);
  let missing: string | undefined;
  for (const entry of table) {
    if (!matches(entry.pattern, entry.pattern.includes(":") ? `${repository}:${tag}` : repository)) continue;
    const absent = entry.requires?.filter((program) => !has(program)) ?? [];
    if (absent.length === 0) return { runnable: true, entry };
    missing ??= `image "${image}" runs as host program ${absent.join(", ")}, which is not on this machine: install it`;
  }
  return {
    runnable: false,
    reason: "ErrImagePull",
    message:
      missing ??
      `image "${image}" is not in the image table of this process node, and no registry is asked: add an entry for it, or run it on a cluster whose nodes pull images`,
  };
}
