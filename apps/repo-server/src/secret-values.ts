import { UnimplementedError } from "@tiphys/errors";
import type { KubeObject } from "@tiphys/resources";
import { Secret } from "@tiphys/secret";

/** A value of a Secret; an empty one is none. */
export const secretText = (secret: KubeObject, key: string): string | undefined => {
  const data: Record<string, string> | undefined = secret["data"];
  const value = data?.[key];
  return value === undefined || value === "" ? undefined : Buffer.from(value, "base64").toString("utf8");
};

/** Values of a repository's own Secret and of the template that completes it. */
export interface SecretValues {
  value(key: string): string | undefined;
  secret(key: string): Secret | undefined;
  flag(key: string): boolean;
  /** Refuses by name what is asked for and cannot be honoured yet; `where` is told after the key. */
  refuse(keys: readonly string[], where: string): void;
}

/** The first of the Secrets that has a value gives it. */
export function secretValues(from: readonly KubeObject[]): SecretValues {
  const value = (key: string): string | undefined => {
    for (const secret of from) {
      const found = secretText(secret, key);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return {
    value,
    secret(key) {
      const found = value(key);
      return found === undefined ? undefined : new Secret(found);
    },
    flag: (key) => value(key) === "true",
    refuse(keys, where) {
      for (const key of keys) {
        const found = value(key);
        if (found !== undefined && found !== "false") throw new UnimplementedError(`${key} in ${where}`);
      }
    },
  };
}
