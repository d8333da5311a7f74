import { isPrint, isSpace } from "@tiphys/template";

/** Blanks become spaces, what cannot be printed goes, as Helm does with the texts of Chart.yaml. */
export function sanitize(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: printable ASCII needs no work
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  let out = "";
  for (const char of text) out += isSpace(char) ? " " : isPrint(char) ? char : "";
  return out;
}
