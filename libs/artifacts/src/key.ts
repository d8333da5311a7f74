import { InvalidArgumentError } from "@tiphys/errors";

const MAX_KEY_BYTES = 1_024;

/** A key as it is, or InvalidArgument: keys never leave their store. */
export function checkKey(key: string): string {
  const parts = key.split("/");
  const bad = parts.some((part) => part === "" || part === "." || part === ".." || hasControlOrBackslash(part));
  if (bad || parts[0]?.startsWith(".uploads") || Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw new InvalidArgumentError(
      "key",
      `"${key.slice(0, 100)}" is not an artifact key: parts separated by "/", none empty, "." or ".."`,
    );
  }
  return key;
}

const hasControlOrBackslash = (text: string): boolean => [...text].some((c) => c < " " || c === "\\");
