import { namesOf } from "./object-store.js";
import type { Entry } from "./questions.js";

/**
 * All that a render has looked at: where each of it is the same, the result is the same. `files` are by `root:path`, each a sign
 * of what was seen there; links are followed by the render, so paths here have none but where a link itself was seen.
 */
export interface Reads {
  readonly files: Readonly<Record<string, string>>;
  /** What was asked of the request and of the outside, by name. */
  readonly values: Readonly<Record<string, string>>;
}

/** Signs of what was seen at a path, from the least to the most that they tell. */
export const seen = {
  absent: "-",
  file: "f",
  folder: "d",
  names: (names: string) => `n:${names}`,
  content: (id: string) => `b:${id}`,
  link: (id: string) => `l:${id}`,
  all: (id: string) => `t:${id}`,
} as const;

const order = "-fdnblt";

/** Keeps what tells most about a path. */
export function note(files: Map<string, string>, key: string, sign: string): void {
  const before = files.get(key);
  if (before === undefined || order.indexOf(before[0] as string) < order.indexOf(sign[0] as string))
    files.set(key, sign);
}

/** A tree of folders that can be asked about, in the service. */
export interface Folders {
  entries(id: string): Promise<readonly Entry[]>;
}

/** Whether all files look as they did; `roots` gives the folder at the top of each root. */
export async function stillSame(
  files: Readonly<Record<string, string>>,
  roots: ReadonlyMap<string, { readonly id: string; readonly objects: Folders }>,
): Promise<boolean> {
  const known = new Map<string, Promise<ReadonlyMap<string, Entry> | undefined>>();
  const folder = (root: string, path: string): Promise<ReadonlyMap<string, Entry> | undefined> => {
    const key = `${root}:${path}`;
    let found = known.get(key);
    if (!found) {
      found = (async () => {
        const at = roots.get(root);
        if (!at) return undefined;
        const id = path === "" ? at.id : (await entry(root, path))?.id;
        if (id === undefined) return undefined;
        return new Map((await at.objects.entries(id)).map((each) => [each.name, each]));
      })();
      known.set(key, found);
    }
    return found;
  };
  const entry = async (root: string, path: string): Promise<Entry | undefined> => {
    if (path === "") {
      const id = roots.get(root)?.id;
      return id === undefined ? undefined : { name: "", kind: "tree", id };
    }
    const slash = path.lastIndexOf("/");
    const above = path.slice(0, Math.max(0, slash));
    const parent = above === "" ? undefined : await entry(root, above);
    if (above !== "" && parent?.kind !== "tree") return undefined;
    return (await folder(root, above))?.get(path.slice(slash + 1));
  };
  for (const [key, sign] of Object.entries(files)) {
    const colon = key.indexOf(":");
    const root = key.slice(0, colon);
    const path = key.slice(colon + 1);
    const found = await entry(root, path);
    if (!(await same(sign, found, () => folder(root, path)))) return false;
  }
  return true;
}

async function same(
  sign: string,
  found: Entry | undefined,
  inside: () => Promise<ReadonlyMap<string, Entry> | undefined>,
): Promise<boolean> {
  switch (sign[0]) {
    case "-":
      return found === undefined;
    case "f":
      return found?.kind === "blob";
    case "d":
      return found?.kind === "tree";
    case "b":
      return found?.kind === "blob" && sign === seen.content(found.id);
    case "l":
      return found?.kind === "symlink" && sign === seen.link(found.id);
    case "t":
      return found?.kind === "tree" && sign === seen.all(found.id);
    default: {
      if (found?.kind !== "tree") return false;
      const entries = await inside();
      return entries !== undefined && sign === seen.names(namesOf([...entries.values()]));
    }
  }
}
