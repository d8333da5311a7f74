import { matchGlob } from "@tiphys/diff";
import { LimitExceededError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type { SourceTree } from "./source.js";

const isPattern = (part: string): boolean => /[*?[{\\]/.test(part);

/** Files whose paths fit a pattern, sorted: `*` stays inside a folder's name, `**` as a whole part is any number of folders. */
export function pathGlob(tree: SourceTree, pattern: string): string[] {
  const parts = pattern.split("/");
  const found = new Set<string>();
  let looks = 0;
  const walk = (folder: string, at: number): void => {
    if (++looks > limits.renderFiles) throw new LimitExceededError(`${pattern}: the glob looks at too many folders`);
    const part = parts[at] as string;
    const last = at === parts.length - 1;
    const within = (name: string) => (folder === "" ? name : `${folder}/${name}`);
    if (part === "**") {
      if (last) for (const name of tree.list(folder)) if (!tree.isFolder(within(name))) found.add(within(name));
      if (!last) walk(folder, at + 1);
      for (const name of tree.list(folder)) {
        const inside = within(name);
        // Links to folders are not gone through: they could lead round in circles.
        if (tree.isFolder(inside) && !tree.isLink?.(inside)) walk(inside, at);
      }
      return;
    }
    const names = isPattern(part) ? tree.list(folder).filter((name) => matchGlob(part, name, "/")) : [part];
    for (const name of names) {
      const inside = within(name);
      const isFolder = tree.isFolder(inside);
      if (last) {
        if (!isFolder && tree.file(inside)) found.add(inside);
      } else if (isFolder) walk(inside, at + 1);
    }
  };
  walk("", 0);
  return [...found].sort();
}
