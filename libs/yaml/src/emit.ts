import { isNotString } from "./go-schema.js";

/** Writes plain data as YAML: keys sorted, lists not indented, strings quoted where Go's reader would see another type. */
export function toYaml(value: unknown): string {
  const text = block(value, "");
  return text.startsWith("\n") ? text.slice(1) + "\n" : `${text.trimStart()}\n`;
}

/** The text after `key:` or `-`, starting with a space or a line break. */
function block(value: unknown, indent: string): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return " []";
    return value.map((item) => `\n${indent}-${inline(item, `${indent}  `)}`).join("");
  }
  if (value !== null && typeof value === "object") {
    const members = Object.entries(value as Record<string, unknown>).filter(([, member]) => member !== undefined);
    if (members.length === 0) return " {}";
    members.sort(([a], [b]) => (a < b ? -1 : 1));
    return members
      .map(([key, member]) => {
        const nested = Array.isArray(member) ? indent : `${indent}  `;
        return `\n${indent}${scalar(key, indent)}:${block(member, nested)}`;
      })
      .join("");
  }
  return ` ${typeof value === "string" ? scalar(value, indent, true) : literal(value)}`;
}

/** A list item: a mapping or list starts on the line of its dash. */
function inline(value: unknown, indent: string): string {
  const text = block(value, indent);
  return text.startsWith(`\n${indent}`) ? ` ${text.slice(1 + indent.length)}` : text;
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return "null";
  return String(value);
}

// A plain scalar: no indicator at its start, no ": " or " #" inside, no white space at its ends.
const plainPattern = /^(?:[^\s\-?:,[\]{}#&*!|>'"%@`]|[-?:](?=[^\s,[\]{}]))(?:[^\n:#]|:(?=\S)|(?<=\S)#)*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that need escapes
const needsEscape = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]|\t/;
const surrogatePairs = /[\ud800-\udbff][\udc00-\udfff]/g;

function scalar(text: string, indent: string, mayBeBlock = false): string {
  if (isNotString(text)) return `"${text}"`;
  if (needsEscape.test(text.includes("\ud83d") ? text.replace(surrogatePairs, "") : text)) return JSON.stringify(text);
  if (text.includes("\n")) return mayBeBlock && blockable(text) ? literalBlock(text, indent) : JSON.stringify(text);
  if (plainPattern.test(text) && !/\s$/.test(text) && !/^(?:---|\.\.\.)/.test(text)) return text;
  return `'${text.replaceAll("'", "''")}'`;
}

// A block scalar cannot start with white space (its indentation would be guessed wrongly) nor end a line with spaces.
const blockable = (text: string) => !/^[\s]/.test(text) && !/[ \t]\n|[ \t]$/.test(text);

function literalBlock(text: string, indent: string): string {
  const trailing = /\n*$/.exec(text)![0].length;
  const chomp = trailing === 0 ? "-" : trailing === 1 ? "" : "+";
  const body = trailing > 0 ? text.slice(0, -1) : text;
  const pad = indent === "" ? "  " : indent;
  return `|${chomp}\n${body
    .split("\n")
    .map((line) => (line === "" ? "" : pad + line))
    .join("\n")}`;
}
