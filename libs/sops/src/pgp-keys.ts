import { FailedPreconditionError, messageOf } from "@tiphys/errors";
import { type DecryptionKey, decryptMessage, parseSecretKeys } from "@tiphys/openpgp";
import type { Secret } from "@tiphys/secret";
import type { KeyOpener } from "./data-key.js";

/** A file of secret keys as `gpg --export-secret-keys` writes it, armored or not. */
export interface PgpKeyFile {
  /** Its bytes, in base64. */
  readonly content: Secret;
  readonly passphrase?: Secret;
}

/** Opens data keys that are encrypted to one of the keys. */
export function pgpOpener(files: readonly PgpKeyFile[]): KeyOpener {
  let keys: DecryptionKey[] | undefined;
  return {
    async open({ encrypted }) {
      keys ??= files.flatMap(({ content, passphrase }) =>
        parseSecretKeys(Buffer.from(content.reveal(), "base64"), passphrase?.reveal()),
      );
      try {
        return decryptMessage(keys, Buffer.from(encrypted));
      } catch (error) {
        throw new FailedPreconditionError(messageOf(error), { cause: error });
      }
    },
  };
}
