/** A choice and how much of the traffic it gets; weights are relative, 0 gets none. */
export interface Weighted<T> {
  readonly value: T;
  readonly weight: number;
}

/** Chooses among weighted values as evenly as their weights allow: 30 of 100 is three of any ten, never a streak. */
export interface WeightedChooser {
  /** `key` names the place of choice; its sequence starts anew when the weights change. */
  choose<T>(key: string, choices: readonly Weighted<T>[]): T | undefined;
  forget(key: string): void;
}

/** Smooth weighted round robin: everybody earns its weight, the richest is chosen and pays the total. */
export function weightedChooser(): WeightedChooser {
  const places = new Map<string, { weights: string; credit: number[] }>();
  return {
    choose(key, choices) {
      const total = choices.reduce((sum, { weight }) => sum + weight, 0);
      if (total <= 0) return undefined;
      const weights = choices.map(({ weight }) => weight).join("/");
      let place = places.get(key);
      if (place?.weights !== weights) {
        place = { weights, credit: choices.map(() => 0) };
        places.set(key, place);
      }
      const { credit } = place;
      let best = 0;
      for (const [i, { weight }] of choices.entries()) {
        credit[i]! += weight;
        if (credit[i]! > credit[best]!) best = i;
      }
      credit[best]! -= total;
      return choices[best]!.value;
    },
    forget: (key) => void places.delete(key),
  };
}
