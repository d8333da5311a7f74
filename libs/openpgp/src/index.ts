export { parseArmor } from "./armor.js";
export * from "./errors.js";
export { joinKeyRings, type KeyRing, type PublicKey, parseKeyRing, type SigningKey } from "./key-ring.js";
export { decryptMessage } from "./message.js";
export { type DecryptionKey, parseSecretKeys } from "./secret-key.js";
export * from "./verify.js";
