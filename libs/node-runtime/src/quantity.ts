const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
  Pi: 1024 ** 5,
  Ei: 1024 ** 6,
};

/** A Kubernetes quantity (`1.5Gi`, `100m`, `1e3`) as a number; 0 for what is none. */
export function quantity(value: string | number | undefined): number {
  const [, number, exponent, unit] = /^([+-]?[0-9.]+)(?:([eE][+-]?\d+)|([A-Za-z]*))$/.exec(String(value ?? "0")) ?? [];
  return Number(`${number ?? 0}${exponent ?? ""}`) * (UNITS[unit ?? ""] ?? 1) || 0;
}
