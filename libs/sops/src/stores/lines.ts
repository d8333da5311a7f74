import { InvalidArgumentError } from "@tiphys/errors";
import { type Leaf, type Node, type Store, str } from "../tree.js";

/** `KEY=value` lines; a line break in a value is `\n`. */
export const dotenvStore: Store = {
  metadata: "flattened",
  parse(text) {
    const entries = text.split("\n").flatMap((line, i): (readonly [string, Node])[] => {
      if (line === "" || line.startsWith("#")) return [];
      const at = line.indexOf("=");
      if (at < 0) throw new InvalidArgumentError("", `line ${i + 1} has no "="`);
      return [[line.slice(0, at), str(line.slice(at + 1).replaceAll("\\n", "\n"))]];
    });
    return [entries];
  },
  emit: (branches) =>
    (branches[0] ?? []).map(([key, value]) => `${key}=${textOf(value).replaceAll("\n", "\\n")}\n`).join(""),
};

/** Sections of `key = value` lines; what stands before the first section is the section DEFAULT. */
export const iniStore: Store = {
  metadata: "flattened below",
  parse(text) {
    const sections: { name: string; entries: (readonly [string, Node])[] }[] = [{ name: "DEFAULT", entries: [] }];
    text.split(/\r?\n/).forEach((raw, i) => {
      const line = raw.trim();
      if (line === "" || line.startsWith("#") || line.startsWith(";")) return;
      const section = /^\[([^\]]+)\]$/.exec(line);
      if (section) {
        const name = section[1]!.trim();
        const known = sections.find((each) => each.name === name);
        // The default section is always there; others may come several times, each its own.
        if (known?.name !== "DEFAULT") sections.push({ name, entries: [] });
        return;
      }
      const at = line.search(/[=:]/);
      if (at < 0) throw new InvalidArgumentError("", `line ${i + 1} is no section and has no "="`);
      const key = unquoted(line.slice(0, at).trim());
      const value = iniText(line.slice(at + 1).trim());
      const { entries } = sections[sections.length - 1]!;
      const before = entries.findIndex(([name]) => name === key);
      if (before >= 0) entries[before] = [key, str(value)];
      else entries.push([key, str(value)]);
    });
    return [sections.map(({ name, entries }) => [name, { kind: "map", entries }])];
  },
  emit(branches) {
    const texts = (branches[0] ?? []).map(([section, node]) => {
      const entries = node.kind === "map" ? node.entries : [];
      if (section === "DEFAULT" && entries.length === 0) return "";
      const width = Math.max(0, ...entries.map(([key]) => key.length));
      const lines = entries.map(([key, value]) => `${key.padEnd(width)} = ${iniValue(textOf(value))}\n`);
      return (section === "DEFAULT" ? "" : `[${section}]\n`) + lines.join("");
    });
    return texts.filter((text) => text !== "").join("\n");
  },
};

function iniText(text: string): string {
  if (/^(["'`]).*\1$/.test(text) && text.length > 1) return text.slice(1, -1);
  const comment = text.search(/[#;]/);
  return unquoted((comment < 0 ? text : text.slice(0, comment)).trim());
}

const unquoted = (text: string): string => (/^(["'`]).*\1$/.test(text) && text.length > 1 ? text.slice(1, -1) : text);

const iniValue = (text: string): string => {
  if (/[\n`]/.test(text)) return `"""${text}"""`;
  return /[#;]/.test(text) || text.trim() !== text ? `\`${text}\`` : text;
};

/** A value as formats without types write it. */
function textOf(node: Node): string {
  if (node.kind !== "leaf") throw new InvalidArgumentError("", "this format has no nested values");
  const { type, text }: Leaf = node.leaf;
  return type === "bool" ? text.toLowerCase() : text;
}
