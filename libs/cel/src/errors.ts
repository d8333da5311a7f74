/** One thing wrong with a source. `offset` is in code points. */
export interface Problem {
  readonly offset: number;
  readonly message: string;
}

/** What happened at run time: the message is the API server's. */
export class CelRuntimeError extends Error {}

/** Fuel is used up: nothing absorbs this, not even `||`. */
export class CelBudgetError extends CelRuntimeError {
  constructor() {
    super("operation cancelled: actual cost limit exceeded");
  }
}

export const fail = (message: string): never => {
  throw new CelRuntimeError(message);
};

/** Problems as a compiler shows them: place, message, the line, and a caret under the column. */
export function formatProblems(source: string, problems: readonly Problem[]): string {
  const lines = source.split("\n");
  return [...problems]
    .sort((a, b) => a.offset - b.offset)
    .map(({ offset, message }) => {
      const { line, column } = placeOf(lines, offset);
      const text = (lines[line - 1] ?? "").replaceAll("\t", " ");
      const dots = [...text].slice(0, column).map((sign) => (sign.charCodeAt(0) < 128 ? "." : "．"));
      const shown = text === "" && column === 0 ? "" : `\n | ${text}\n | ${dots.join("")}^`;
      return `ERROR: <input>:${line}:${column + 1}: ${message}${shown}`;
    })
    .join("\n");
}

function placeOf(lines: readonly string[], offset: number): { line: number; column: number } {
  let rest = offset;
  for (const [at, text] of lines.entries()) {
    const size = [...text].length;
    if (rest <= size || at === lines.length - 1) return { line: at + 1, column: rest };
    rest -= size + 1;
  }
  return { line: 1, column: 0 };
}
