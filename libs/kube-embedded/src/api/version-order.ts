/** `v2` before `v1` before `v1beta2`: Kubernetes' order of versions, most preferred first. */
export function compareVersions(a: string, b: string): number {
  const parse = (text: string) => {
    const found = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(text);
    if (!found) return undefined;
    const stage = found[2] === "alpha" ? 0 : found[2] === "beta" ? 1 : 2;
    return [stage, Number(found[1]), Number(found[3] ?? 0)] as const;
  };
  const left = parse(a);
  const right = parse(b);
  if (!left || !right) return left ? -1 : right ? 1 : a < b ? -1 : 1;
  for (const i of [0, 1, 2] as const) if (left[i] !== right[i]) return right[i] - left[i];
  return 0;
}
