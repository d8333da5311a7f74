import { existsSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RandomBytes } from "@tiphys/identity";
import { Secret } from "@tiphys/secret";

/** The key with which this installation's services sign for each other; made at first start. */
export async function internalKey(data: string, random: RandomBytes): Promise<Secret> {
  const file = join(data, "internal.key");
  if (!existsSync(file)) {
    await writeFile(`${file}.new`, Buffer.from(random(32)).toString("hex"), { mode: 0o600 });
    await rename(`${file}.new`, file);
  }
  return new Secret((await readFile(file, "utf8")).trim());
}
