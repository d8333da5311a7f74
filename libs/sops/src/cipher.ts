import { createDecipheriv } from "node:crypto";
import { FailedPreconditionError, InvalidArgumentError } from "@tiphys/errors";
import type { Leaf } from "./tree.js";
import { plainFloat } from "./tree.js";

const ENCRYPTED = /^ENC\[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:(.+)\]/;

export const looksEncrypted = (text: string): boolean => ENCRYPTED.test(text);

/** One encrypted value: a leaf, or undefined where it is a comment. `context` is the path that the value is bound to. */
export function decryptValue(text: string, key: Uint8Array, context: string): Leaf | undefined {
  // SOPS leaves empty texts as they are.
  if (text === "") return { type: "str", text: "" };
  const parts = ENCRYPTED.exec(text);
  if (!parts) throw new InvalidArgumentError("", `${context.slice(0, -1)} should be encrypted and is not`);
  const [, data = "", iv = "", tag = "", type = ""] = parts;
  const plain = open(data, iv, tag, key, context);
  switch (type) {
    case "str":
    case "bytes":
      return { type: "str", text: plain };
    case "int":
      return { type: "int", text: plain };
    case "float":
      return { type: "float", text: plainFloat(Number(plain)) };
    case "bool":
      return { type: "bool", text: /^(?:1|t|true)$/i.test(plain) ? "True" : "False" };
    case "time":
      return { type: "time", text: plain };
    case "comment":
      return undefined;
    default:
      throw new InvalidArgumentError("", `${context.slice(0, -1)} has the unknown type ${type.slice(0, 20)}`);
  }
}

function open(data: string, iv: string, tag: string, key: Uint8Array, context: string): string {
  try {
    const bytes = Buffer.from(tag, "base64");
    // A shorter tag would be taken, and is easier to forge.
    if (bytes.length !== 16) throw new Error("tag");
    const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(iv, "base64"));
    decipher.setAAD(Buffer.from(context, "utf8"));
    decipher.setAuthTag(bytes);
    return Buffer.concat([decipher.update(Buffer.from(data, "base64")), decipher.final()]).toString("utf8");
  } catch (error) {
    throw new FailedPreconditionError(
      `${context.replace(/:$/, "")} cannot be decrypted: it was changed or moved after it was encrypted`,
      { cause: error },
    );
  }
}
