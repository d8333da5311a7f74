import { InvalidArgumentError, LimitExceededError, PermissionDeniedError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { checkRepositoryUrl, isSshUrl, redactUrl, sameOrigin } from "./url.js";

/** What `.gitmodules` says of one submodule. */
export interface SubmoduleEntry {
  readonly path: string;
  readonly url: string;
  /** `none` leaves the folder empty. */
  readonly update: string | undefined;
}

const broken = (problem: string) => new InvalidArgumentError("", `.gitmodules: ${problem}`);

/** Reads a file in git's configuration format; other sections and keys than those of submodules are passed over. */
export function parseGitmodules(text: string): SubmoduleEntry[] {
  const found = new Map<string, Map<string, string>>();
  let section: Map<string, string> | undefined;
  for (const line of lines(text)) {
    const head = /^\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]\s*(.*)$/s.exec(line);
    if (head) {
      section = undefined;
      if (head[1]?.toLowerCase() === "submodule" && head[2] !== undefined) {
        const name = head[2].replace(/\\(.)/g, "$1");
        section = found.get(name) ?? new Map();
        found.set(name, section);
        if (found.size > limits.gitSubmodules) {
          throw new LimitExceededError(`.gitmodules: more than ${limits.gitSubmodules} submodules`);
        }
      }
      if (head[3]) setting(section, head[3]);
    } else if (line.startsWith("[")) throw broken(`"${line.slice(0, 60)}" is no section`);
    else setting(section, line);
  }
  return [...found.values()].flatMap((values) => {
    const [path, url] = [values.get("path"), values.get("url")];
    return path === undefined || url === undefined ? [] : [{ path, url, update: values.get("update") }];
  });
}

/** Lines without comments; one that ends in a backslash goes on in the next. */
function* lines(text: string): Iterable<string> {
  for (const line of text
    .replace(/^\ufeff/, "")
    .replace(/\\\r?\n/g, "")
    .split(/\r?\n/)) {
    const trimmed = line.trim();
    if (trimmed !== "" && !/^[#;]/.test(trimmed)) yield trimmed;
  }
}

function setting(section: Map<string, string> | undefined, line: string): void {
  const [, key, rest] = /^([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*))?$/s.exec(line) ?? [];
  if (key === undefined) {
    if (/^[#;]/.test(line)) return;
    throw broken(`"${line.slice(0, 60)}" is no setting`);
  }
  if (section && rest !== undefined) section.set(key.toLowerCase(), readValue(rest));
}

/** A value: quotes hold what is in them together, a comment ends it. */
function readValue(text: string): string {
  let value = "";
  let kept = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at] as string;
    if (sign === '"') quoted = !quoted;
    else if (sign === "\\") {
      const next = text[++at] ?? "";
      value += { n: "\n", t: "\t", b: "\b" }[next] ?? next;
    } else if (!quoted && (sign === "#" || sign === ";")) break;
    else {
      value += sign;
      // Blanks at the end count only inside of quotes.
      if (!quoted && /\s/.test(sign)) continue;
    }
    kept = value.length;
  }
  if (quoted) throw broken("a quote is not closed");
  return value.slice(0, kept);
}

/** The folder that a submodule is in, as parts; throws where it would lie outside of its repository. */
export function submodulePath(path: string): string[] {
  const parts = path.replace(/\/+$/, "").split("/");
  const isBad = (part: string) =>
    part === "" || part === "." || part === ".." || /^\.git$/i.test(part) || /[\\\0]/.test(part);
  if (parts.some(isBad))
    throw broken(`the path "${path.slice(0, 200)}" of a submodule is not one inside of the repository`);
  return parts;
}

/**
 * Where a submodule is: an address, or a way from that of its repository. Folders of this machine are refused where the repository is no
 * such folder itself, and ways that lead to another server.
 */
export function submoduleUrl(parent: string, url: string): string {
  const shown = redactUrl(url).slice(0, 300);
  let result = url;
  if (/^\.\.?(?:\/|$)/.test(url)) {
    let base = parent.replace(/\/+$/, "");
    let rest = url;
    for (;;) {
      if (/^\.\.(?:\/|$)/.test(rest)) {
        rest = rest.slice(3);
        const cut = Math.max(
          base.lastIndexOf("/"),
          isSshUrl(base) && !base.includes("://") ? base.lastIndexOf(":") : -1,
        );
        if (cut < 0) throw broken(`the url "${shown}" leads out of its server`);
        // The colon of `user@host:path` stays where its whole path goes.
        base = base[cut] === ":" ? base.slice(0, cut + 1) : base.slice(0, cut);
      } else if (/^\.(?:\/|$)/.test(rest)) rest = rest.slice(2);
      else break;
    }
    result = rest === "" ? base : base.endsWith(":") ? base + rest : `${base}/${rest}`;
    checkRepositoryUrl(result, ".gitmodules: url");
    if (!sameOrigin(parent, result)) throw broken(`the url "${shown}" leads out of its server`);
    return result.replace(/\/+$/, "");
  }
  checkRepositoryUrl(result, ".gitmodules: url");
  const isLocal = (each: string) => each.startsWith("/") || /^file:/i.test(each);
  if (isLocal(result) && !isLocal(parent)) {
    throw new PermissionDeniedError(`.gitmodules: the url "${shown}" is a folder of this machine`);
  }
  return result;
}
