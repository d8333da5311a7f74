import { FailedPreconditionError } from "@tiphys/errors";

/** Product in GF(2^8) with the polynomial of AES. */
function times(a: number, b: number): number {
  let product = 0;
  for (let x = a, y = b; y > 0; y >>= 1) {
    if (y & 1) product ^= x;
    x = x & 0x80 ? ((x << 1) ^ 0x11b) & 0xff : x << 1;
  }
  return product;
}

/** The inverse: the 254th power, as every element's 255th is 1. */
function inverse(a: number): number {
  let result = 1;
  for (let i = 0; i < 254; i++) result = times(result, a);
  return result;
}

/** The secret that Shamir's parts share; the last byte of a part is its place on the polynomial. */
export function combine(parts: readonly Uint8Array[]): Uint8Array {
  const length = parts[0]?.length ?? 0;
  if (parts.length < 2 || length < 2 || parts.some((part) => part.length !== length)) {
    throw new FailedPreconditionError("the parts of the data key do not belong together");
  }
  const places = parts.map((part) => part[length - 1]!);
  if (new Set(places).size !== places.length) throw new FailedPreconditionError("a part of the data key came twice");
  // Lagrange's weights at zero; subtraction is addition here.
  const weights = places.map((own, i) =>
    places.reduce((weight, other, j) => (i === j ? weight : times(weight, times(other, inverse(other ^ own)))), 1),
  );
  return Uint8Array.from({ length: length - 1 }, (_, at) =>
    parts.reduce((sum, part, i) => sum ^ times(part[at]!, weights[i]!), 0),
  );
}
