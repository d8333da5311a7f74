import type { DurableMap } from "@tiphys/bus";

const counts = new WeakMap<DurableMap, Map<string, number>>();

/** Forgets the oldest tenth of the entries under `prefix` once there are more than `most`; called after each write. */
export async function pruneOldest(
  state: DurableMap,
  prefix: string,
  most: number,
  mayGo: (value: unknown) => boolean = () => true,
): Promise<void> {
  let ofMap = counts.get(state);
  if (!ofMap) {
    ofMap = new Map();
    counts.set(state, ofMap);
  }
  // Counted from time to time only: walking the map at every write would cost more than what it saves.
  const writes = (ofMap.get(prefix) ?? most) + 1;
  ofMap.set(prefix, writes);
  if (writes <= most) return;
  const keys = [...state.entries(prefix)];
  ofMap.set(prefix, keys.length);
  if (keys.length <= most) return;
  const old = keys.filter(([, value]) => mayGo(value)).slice(0, Math.ceil(most / 10));
  ofMap.set(prefix, keys.length - old.length);
  await state.write(old.map(([key]) => [key, undefined] as const));
}
