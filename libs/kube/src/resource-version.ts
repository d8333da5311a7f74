/** Orders two resourceVersions of one server as the numbers they are; an absent one is the oldest. */
export function compareResourceVersions(a: string | undefined, b: string | undefined): number {
  const left = a ?? "";
  const right = b ?? "";
  if (left.length !== right.length) return left.length - right.length;
  return left === right ? 0 : left < right ? -1 : 1;
}
