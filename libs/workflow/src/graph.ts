/** A cycle among tasks as a path that ends where it began. */
export function findCycle(needs: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const state = new Map<string, "open" | "done">();
  const path: string[] = [];
  const visit = (name: string): string[] | undefined => {
    if (state.get(name) === "done" || !needs.has(name)) return undefined;
    if (state.get(name) === "open") return [...path.slice(path.indexOf(name)), name];
    state.set(name, "open");
    path.push(name);
    for (const need of needs.get(name) ?? []) {
      const found = visit(need);
      if (found) return found;
    }
    path.pop();
    state.set(name, "done");
    return undefined;
  };
  for (const name of needs.keys()) {
    const found = visit(name);
    if (found) return found;
  }
  return undefined;
}

/** Everything that each task waits for, directly or not. */
export function ancestry(needs: ReadonlyMap<string, readonly string[]>): Map<string, ReadonlySet<string>> {
  const known = new Map<string, Set<string>>();
  const of = (name: string): Set<string> => {
    const found = known.get(name);
    if (found) return found;
    const all = new Set<string>();
    known.set(name, all);
    for (const need of needs.get(name) ?? []) {
      all.add(need);
      for (const above of of(need)) all.add(above);
    }
    return all;
  };
  for (const name of needs.keys()) of(name);
  return known;
}
