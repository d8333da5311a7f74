/** One thing that is looked at; `problem` says what is wrong with it now. */
export interface HealthCheck {
  readonly name: string;
  readonly problem: () => string | undefined;
}

export interface HealthAnswer {
  readonly code: 200 | 500;
  readonly text: string;
}

/**
 * What `/healthz`, `/livez` and `/readyz` answer, in the original's form: `ok`, or one line per check with `?verbose` and whenever
 * something is wrong. `only` names one check. Undefined when there is no such check. Reasons are withheld: the answer is open to all.
 */
export function healthAnswer(
  endpoint: string,
  only: string | undefined,
  query: URLSearchParams,
  checks: readonly HealthCheck[],
): HealthAnswer | undefined {
  if (only !== undefined) {
    const check = checks.find(({ name }) => name === only);
    if (!check) return undefined;
    if (check.problem() === undefined) return { code: 200, text: "ok" };
    return { code: 500, text: "internal server error: reason withheld\n" };
  }
  const excluded = new Set(query.getAll("exclude").filter((name) => name !== ""));
  let well = true;
  const lines = checks.map(({ name, problem }) => {
    if (excluded.delete(name)) return `[+]${name} excluded: ok\n`;
    if (problem() === undefined) return `[+]${name} ok\n`;
    well = false;
    return `[-]${name} failed: reason withheld\n`;
  });
  if (excluded.size > 0) {
    const names = [...excluded].map((name) => JSON.stringify(name)).join(",");
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}\n`);
  }
  if (!well) return { code: 500, text: `${lines.join("")}${endpoint} check failed\n` };
  return { code: 200, text: query.has("verbose") ? `${lines.join("")}${endpoint} check passed\n` : "ok" };
}
