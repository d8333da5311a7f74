/** Compiles a subject filter: `*` stands for one token, a final `>` for one or more. */
export function subjectMatcher(filter: string): (subject: string) => boolean {
  if (!filter.includes("*") && !filter.includes(">")) return (subject) => subject === filter;
  const wanted = filter.split(".");
  const open = wanted.at(-1) === ">";
  const fixed = open ? wanted.slice(0, -1) : wanted;
  return (subject) => {
    const tokens = subject.split(".");
    if (open ? tokens.length <= fixed.length : tokens.length !== fixed.length) return false;
    return fixed.every((token, index) => token === "*" || token === tokens[index]);
  };
}

/** True when any of `filters` matches. */
export function anyMatcher(filters: readonly string[]): (subject: string) => boolean {
  const matchers = filters.map(subjectMatcher);
  return (subject) => matchers.some((matches) => matches(subject));
}

/** A subject to write to: non-empty tokens without wildcards or white space. */
export const isSubject = (subject: string): boolean => /^[^\s.*>]+(\.[^\s.*>]+)*$/.test(subject);
