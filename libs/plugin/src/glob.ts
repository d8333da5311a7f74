/** A pattern of Go's filepath.Match as a regular expression; undefined where it is malformed. `**` only where asked for. */
export function goGlob(pattern: string, { doubleStar = false } = {}): RegExp | undefined {
  let source = "";
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i]!;
    if (doubleStar && pattern.startsWith("**/", i)) {
      source += "(?:[^/]+/)*";
      i += 2;
    } else if (doubleStar && pattern.startsWith("**", i)) {
      source += ".*";
      i++;
    } else if (character === "*") source += "[^/]*";
    else if (character === "?") source += "[^/]";
    else if (character === "[") {
      const set = readSet(pattern, i + 1);
      if (!set) return undefined;
      source += set.source;
      i = set.end;
    } else if (character === "\\") {
      i++;
      if (i === pattern.length) return undefined;
      source += escaped(pattern[i]!);
    } else source += escaped(character);
  }
  return new RegExp(`^${source}$`, "su");
}

const escaped = (character: string): string => character.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

function readSet(pattern: string, start: number): { source: string; end: number } | undefined {
  let at = start;
  const negated = pattern[at] === "^";
  if (negated) at++;
  let source = "";
  const one = (): string | undefined => {
    let character = pattern[at++];
    if (character === "\\") character = pattern[at++];
    return character === undefined || character === "]" || character === "-"
      ? undefined
      : character.replace(/[\\^\]-]/g, "\\$&");
  };
  for (let ranges = 0; ; ranges++) {
    if (pattern[at] === "]" && ranges > 0) return { source: `${negated ? "(?!/)[^" : "["}${source}]`, end: at };
    const low = one();
    if (low === undefined) return undefined;
    source += low;
    if (pattern[at] !== "-") continue;
    at++;
    const high = one();
    if (high === undefined) return undefined;
    source += `-${high}`;
  }
}

/** `./a//b/../c` as Go's filepath.Join has it; the part that leads out is kept, and matches nothing. */
export function cleanPattern(pattern: string): string {
  const parts: string[] = [];
  for (const part of pattern.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts[parts.length - 1] !== "..") parts.pop();
    else parts.push(part);
  }
  return parts.join("/");
}
