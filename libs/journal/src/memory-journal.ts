import { canonicalJson, clone, deepFreeze, digest } from "@tiphys/canonical-json";
import type { Journal, JournalEntry, StoredEntry } from "./journal.js";
import { decisionDigest, positionText } from "./stored.js";

/** A journal that lives as long as the process: for tests and for tools that throw their history away. */
export function createMemoryJournal(): Journal {
  const subjects = new Map<string, { entries: StoredEntry[]; last: string }>();
  const states = new Map<string, unknown>();
  let next = 1;
  return {
    async record(entry: JournalEntry) {
      const last = decisionDigest(entry);
      let subject = subjects.get(entry.subject);
      if (entry.kind === "decision" && subject?.last === last) return undefined;
      if (!subject) {
        subject = { entries: [], last: "" };
        subjects.set(entry.subject, subject);
      }
      if (entry.kind === "decision") subject.last = last;
      const stateDigest = entry.state === undefined ? undefined : digest(entry.state);
      if (stateDigest && !states.has(stateDigest)) {
        states.set(stateDigest, deepFreeze(JSON.parse(canonicalJson(entry.state))));
      }
      const { state: _state, ...rest } = entry;
      const position = positionText(next++);
      subject.entries.push(
        deepFreeze({
          ...clone({ ...rest, at: undefined }),
          at: entry.at,
          position,
          ...(stateDigest ? { stateDigest } : {}),
        }),
      );
      return position;
    },
    async read(subject, { limit = 100, before } = {}) {
      const entries = subjects.get(subject)?.entries ?? [];
      const newest: StoredEntry[] = [];
      for (let index = entries.length - 1; index >= 0 && newest.length < limit; index--) {
        const entry = entries[index] as StoredEntry;
        if (before === undefined || entry.position < before) newest.push(entry);
      }
      return newest;
    },
    state: async (of) => states.get(of),
    close: async () => {},
  };
}
