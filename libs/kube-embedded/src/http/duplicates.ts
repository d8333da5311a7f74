/** Paths of members that a JSON text has twice, such as `metadata.labels.a`. The text is known to be valid JSON. */
export function duplicateFields(text: string): string[] {
  const found: string[] = [];
  interface Level {
    readonly path: string;
    readonly seen: Set<string> | undefined;
    key: string;
    index: number;
    expectKey: boolean;
  }
  const levels: Level[] = [];
  const pathHere = (): string => {
    const level = levels.at(-1);
    if (!level) return "";
    if (!level.seen) return `${level.path}[${level.index}]`;
    return level.path === "" ? level.key : `${level.path}.${level.key}`;
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    const level = levels.at(-1);
    if (char === '"') {
      const start = at;
      for (at++; text[at] !== '"'; at++) if (text[at] === "\\") at++;
      if (level?.seen && level.expectKey) {
        level.key = JSON.parse(text.slice(start, at + 1)) as string;
        level.expectKey = false;
        if (level.seen.has(level.key)) found.push(pathHere());
        level.seen.add(level.key);
      }
    } else if (char === "{") levels.push({ path: pathHere(), seen: new Set(), key: "", index: 0, expectKey: true });
    else if (char === "[") levels.push({ path: pathHere(), seen: undefined, key: "", index: 0, expectKey: false });
    else if (char === "}" || char === "]") levels.pop();
    else if (char === "," && level) {
      level.index++;
      level.expectKey = level.seen !== undefined;
    }
  }
  return found;
}
