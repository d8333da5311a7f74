import { FailedPreconditionError, InvalidArgumentError, messageOf, UnimplementedError } from "@tiphys/errors";
import type { Secret } from "@tiphys/secret";
import type { KeyOpener } from "./data-key.js";

/** Identities in a file as `age-keygen` writes it; comments and empty lines are left out. */
export function readAgeIdentities(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line, i) => {
      if (/^AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]+$/.test(line)) return line;
      if (/^AGE-PLUGIN-/.test(line)) throw new UnimplementedError("age identities of plugins");
      throw new InvalidArgumentError("", `identity ${i + 1} is no age identity: it should begin with AGE-SECRET-KEY-1`);
    });
}

/** Opens data keys that are encrypted for one of the identities. */
export function ageOpener(identityFiles: readonly Secret[]): KeyOpener {
  return {
    async open({ encrypted }) {
      // Loaded on first use: most sources are not encrypted.
      const { armor, Decrypter } = await import("age-encryption");
      const decrypter = new Decrypter();
      let count = 0;
      for (const file of identityFiles) {
        for (const identity of readAgeIdentities(file.reveal())) {
          decrypter.addIdentity(identity);
          count++;
        }
      }
      if (count === 0) return undefined;
      try {
        return await decrypter.decrypt(armor.decode(encrypted.trim()));
      } catch (error) {
        if (/no identity matched/i.test(messageOf(error))) return undefined;
        throw new FailedPreconditionError("the age message is damaged", { cause: error });
      }
    },
  };
}
