/** A field that another manager owns with another value. */
export interface Conflict {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource?: string;
  readonly time?: string;
  /** Such as `.spec.replicas`. */
  readonly field: string;
}

export interface ConflictCause {
  readonly reason: "FieldManagerConflict";
  readonly message: string;
  readonly field: string;
}

function nameOf(conflict: Conflict): string {
  const parts = [JSON.stringify(conflict.manager)];
  if (conflict.subresource) parts.push(`with subresource ${JSON.stringify(conflict.subresource)}`);
  if (conflict.operation === "Update") {
    parts.push(`using ${conflict.apiVersion}`);
    if (conflict.time) parts.push(`at ${conflict.time}`);
  }
  return parts.join(" ");
}

/** The message and causes of the 409 answer to an apply, as clients print and parse them. */
export function conflictStatus(conflicts: readonly Conflict[]): { message: string; causes: ConflictCause[] } {
  const byManager = new Map<string, string[]>();
  const causes: ConflictCause[] = [];
  for (const conflict of conflicts) {
    const name = nameOf({ ...conflict, time: undefined } as Conflict);
    byManager.set(name, [...(byManager.get(name) ?? []), conflict.field]);
  }
  for (const name of [...byManager.keys()].sort()) {
    for (const field of byManager.get(name)!) {
      causes.push({ reason: "FieldManagerConflict", message: `conflict with ${name}`, field });
    }
  }
  const one = conflicts.length === 1;
  const head = `Apply failed with ${conflicts.length} conflict${one ? "" : "s"}: `;
  if (one) return { message: `${head}${causes[0]!.message}: ${causes[0]!.field}`, causes };
  const parts = [...byManager.keys()].sort().map(
    (name) =>
      `conflicts with ${name}:\n${byManager
        .get(name)!
        .map((field) => `- ${field}`)
        .join("\n")}`,
  );
  return { message: head + parts.join("\n"), causes };
}
