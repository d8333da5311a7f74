/** Lines around a change that are shown with it. */
const CONTEXT = 3;

/** The unified difference of two values in the API server's layout of JSON: what it says about a change that may not be. */
export function goDiff(before: unknown, after: unknown): string {
  const a = JSON.stringify(before, undefined, 1).split("\n");
  const b = JSON.stringify(after, undefined, 1).split("\n");
  const edits = editsOf(a, b);
  const out: string[] = [];
  let at = 0;
  while (at < edits.length) {
    if (edits[at]?.sign === " ") {
      at++;
      continue;
    }
    let from = Math.max(0, at - CONTEXT);
    let to = at;
    // Changes that share their surroundings are one hunk.
    for (let next = at; next < edits.length && next - to <= 2 * CONTEXT; next++)
      if (edits[next]?.sign !== " ") to = next;
    to = Math.min(edits.length, to + CONTEXT + 1);
    const hunk = edits.slice(from, to);
    const lines = (sign: string) => hunk.filter((edit) => edit.sign === " " || edit.sign === sign).length;
    const first = edits.slice(0, from);
    const start = (sign: string) => first.filter((edit) => edit.sign === " " || edit.sign === sign).length + 1;
    out.push(`@@ -${start("-")},${lines("-")} +${start("+")},${lines("+")} @@`);
    out.push(...hunk.map(({ sign, line }) => sign + line));
    from = to;
    at = to;
  }
  return `${out.join("\n")}\n`;
}

interface Edit {
  readonly sign: " " | "-" | "+";
  readonly line: string;
}

/** The shortest way from one text to the other; texts here have some dozens of lines. */
function editsOf(a: readonly string[], b: readonly string[]): Edit[] {
  const common: number[][] = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const row = common[i] as number[];
      const next = common[i + 1] as number[];
      row[j] = a[i] === b[j] ? (next[j + 1] ?? 0) + 1 : Math.max(next[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  const edits: Edit[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      edits.push({ sign: " ", line: a[i] ?? "" });
      i++;
      j++;
    } else if (i < a.length && (j >= b.length || (common[i + 1]?.[j] ?? 0) >= (common[i]?.[j + 1] ?? 0))) {
      edits.push({ sign: "-", line: a[i++] ?? "" });
    } else edits.push({ sign: "+", line: b[j++] ?? "" });
  }
  return edits;
}
