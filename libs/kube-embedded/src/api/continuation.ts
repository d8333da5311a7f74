import { goJsonProblem } from "./go-json.js";
import { badRequest } from "./status.js";

/** Where a list goes on: after this key, in the state of this revision. */
export interface Continuation {
  readonly revision: number;
  /** Without the namespace when the list is of one. */
  readonly after: string;
}

const VERSION = "meta.k8s.io/v1";

/** As the real server writes it: the first key that may follow. */
export const continueToken = (revision: number, after: string): string =>
  Buffer.from(JSON.stringify({ v: VERSION, rv: revision, start: `${after}\0` })).toString("base64url");

export function continuation(token: string): Continuation {
  const refuse = (problem: string) => badRequest(`invalid continue token: ${problem}`);
  const bad = token.search(/[^A-Za-z0-9_-]/);
  if (bad >= 0 || token.length % 4 === 1) {
    const at = bad >= 0 ? bad : token.length - 1;
    throw refuse(`continue key is not valid: illegal base64 data at input byte ${at}`);
  }
  const text = Buffer.from(token, "base64url").toString();
  let value: { v?: unknown; rv?: unknown; start?: unknown };
  try {
    value = JSON.parse(text);
  } catch {
    throw refuse(`continue key is not valid: ${goJsonProblem(text)}`);
  }
  const { v, rv, start } = value ?? {};
  if (v !== VERSION) {
    throw refuse(
      `continue key is not valid: server does not recognize this encoded version ${JSON.stringify(String(v ?? ""))}`,
    );
  }
  if (typeof rv !== "number" || rv <= 0) {
    throw refuse(`continue key is not valid: incorrect encoded start resourceVersion (version ${VERSION})`);
  }
  if (typeof start !== "string" || start === "") {
    throw refuse(`continue key is not valid: encoded start key empty (version ${VERSION})`);
  }
  return { revision: rv, after: start.replace(/\0$/, "") };
}
