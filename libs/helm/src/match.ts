import { RE2JS } from "re2js";

/** A pattern that cannot be read. */
export class BadPatternError extends Error {}

/**
 * Go's filepath.Match: `*` and `?` stay within a folder, `[a-z]` and `[^a]` are classes, `\` takes the next sign as it is.
 * Throws a {@link BadPatternError}.
 */
export function fileMatcher(pattern: string): (name: string) => boolean {
  let source = "";
  for (let i = 0; i < pattern.length; ) {
    const char = pattern[i]!;
    i++;
    if (char === "*") source += "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (char === "\\") {
      if (i >= pattern.length) throw new BadPatternError("syntax error in pattern");
      source += RE2JS.quote(pattern[i++]!);
    } else if (char === "[") {
      const end = classEnd(pattern, i);
      source += goClass(pattern.slice(i, end), "^");
      i = end + 1;
    } else source += RE2JS.quote(char);
  }
  return tester(`^(?s:${source})$`);
}

function classEnd(pattern: string, from: number): number {
  let i = pattern[from] === "^" ? from + 1 : from;
  for (let first = true; i < pattern.length; i++, first = false) {
    if (pattern[i] === "\\") i++;
    else if (pattern[i] === "]" && !first) return i;
  }
  throw new BadPatternError("syntax error in pattern");
}

function goClass(body: string, negation: string): string {
  const negated = body.startsWith(negation);
  const rest = negated ? body.slice(1) : body;
  let source = "";
  for (let i = 0; i < rest.length; i++) {
    const char = rest[i]!;
    if (char === "\\" && i + 1 < rest.length) source += `\\${rest[++i]}`;
    else if (char === "-") source += i > 0 && i < rest.length - 1 ? "-" : "\\-";
    else source += /[\]\\^[&]/.test(char) ? `\\${char}` : char;
  }
  if (source === "") throw new BadPatternError("syntax error in pattern");
  return `[${negated ? "^" : ""}${source}]`;
}

function tester(source: string): (name: string) => boolean {
  try {
    const regex = RE2JS.compile(source);
    return (name) => regex.matcher(name).find();
  } catch {
    throw new BadPatternError("syntax error in pattern");
  }
}

/**
 * Patterns of `Files.Glob` (gobwas with `/` as separator): `*` stays within a folder, `**` does not, `{a,b}` are alternatives,
 * `[!a]` a class. Throws a {@link BadPatternError}.
 */
export function globMatcher(pattern: string): (name: string) => boolean {
  let source = "";
  let depth = 0;
  for (let i = 0; i < pattern.length; ) {
    const char = pattern[i]!;
    i++;
    if (char === "*") {
      if (pattern[i] === "*") {
        while (pattern[i] === "*") i++;
        source += ".*";
      } else source += "[^/]*";
    } else if (char === "?") source += "[^/]";
    else if (char === "\\") source += i < pattern.length ? RE2JS.quote(pattern[i++]!) : "\\\\";
    else if (char === "[") {
      const end = pattern.indexOf("]", i + (pattern[i] === "!" ? 2 : 1));
      if (end < 0) throw new BadPatternError("unexpected end of input");
      source += goClass(pattern.slice(i, end), "!");
      i = end + 1;
    } else if (char === "{") {
      depth++;
      source += "(?:";
    } else if (char === "}" && depth > 0) {
      depth--;
      source += ")";
    } else if (char === "," && depth > 0) source += "|";
    else source += RE2JS.quote(char);
  }
  if (depth > 0) throw new BadPatternError("unexpected end of input");
  return tester(`^(?s:${source})$`);
}
