import { InvalidArgumentError } from "@tiphys/errors";

/** A count of pods, or a share of them in percent. */
export type Amount = { readonly pods: number } | { readonly percent: number };

/**
 * Reads `maxSurge` and its relatives. A number counts pods; any text is a percentage, with or without the `%`: "3" is
 * 3 %, as Argo Rollouts reads it.
 */
export function parseAmount(value: number | string, field: string): Amount {
  if (typeof value === "number") {
    if (!Number.isInteger(value) || value < 0)
      throw new InvalidArgumentError(field, `${value} is no whole number of pods`);
    return { pods: value };
  }
  const digits = value.match(/^(\d+)%?$/)?.[1];
  if (digits === undefined)
    throw new InvalidArgumentError(field, `"${value}" is neither a number of pods nor a percentage`);
  return { percent: Number(digits) };
}

/** Pods that an amount stands for out of `replicas`. */
export function podsOf(amount: Amount, replicas: number, round: "up" | "down"): number {
  if ("pods" in amount) return amount.pods;
  const exact = (replicas * amount.percent) / 100;
  return round === "up" ? Math.ceil(exact) : Math.floor(exact);
}
