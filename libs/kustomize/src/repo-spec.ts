/** A folder of a Git repository, as a kustomization names one: `https://host/org/repo//path?ref=v1`. */
export interface RepoSpec {
  /** What git is given: `https://host/org/repo`, `git@host:org/repo.git`. */
  readonly url: string;
  /** Folder in the repository; empty is its top. */
  readonly path: string;
  /** Branch, tag or commit; empty is HEAD. */
  readonly ref: string;
  readonly submodules: boolean;
  /** Milliseconds. */
  readonly timeout: number;
}

const DEFAULT_TIMEOUT = 27_000;
const SCHEMES = ["ssh://", "https://", "http://", "file://"] as const;

const startsWith = (text: string, prefix: string): boolean => text.slice(0, prefix.length).toLowerCase() === prefix;

/** Reads the address of a folder in a Git repository; undefined for what is none, such as a path. */
export function parseRepoSpec(address: string): RepoSpec | undefined {
  if (address.startsWith("/")) return undefined;
  const question = address.indexOf("?");
  const query = question < 0 ? "" : address.slice(question + 1);
  const host = splitHost(question < 0 ? address : address.slice(0, question));
  if (!host) return undefined;
  const split = splitPath(host.rest, host.host.startsWith("file://"));
  if (!split || split.repository === "") return undefined;
  const path = split.path.replace(/^\//, "");
  if (clean(path).startsWith("..")) return undefined;
  return { url: host.host + split.repository, path, ...readQuery(query) };
}

function splitHost(address: string): { host: string; rest: string } | undefined {
  let text = startsWith(address, "git::") ? address.slice(5) : address;
  const scheme = SCHEMES.find((each) => startsWith(text, each)) ?? "";
  text = text.slice(scheme.length);
  const user = /^[a-zA-Z][a-zA-Z0-9-]*@/.exec(text)?.[0] ?? "";
  text = text.slice(user.length);
  const isGithub = /^github\.com[/:]/i.test(text);
  const mayBeScp = scheme === "" && (user !== "" || isGithub);
  if (scheme === "" && !mayBeScp) return undefined;
  if (scheme === "file://") return { host: scheme, rest: user + text };
  let separator = text.indexOf("/");
  if (mayBeScp) {
    const colon = text.indexOf(":");
    if (separator < 0 || (colon > 0 && colon < separator)) separator = colon;
  }
  const [host, rest] = separator < 0 ? [text, ""] : [text.slice(0, separator + 1), text.slice(separator + 1)];
  if (isGithub) {
    return { host: scheme === "ssh://" || user !== "" ? `${user}github.com:` : "https://github.com/", rest };
  }
  return host === "" ? undefined : { host: scheme + user + host, rest };
}

/** Where the repository's path ends: `_git/NAME`, `//`, `.git`, or after two parts, as GitHub has them. */
function splitPath(text: string, whole: boolean): { repository: string; path: string } | undefined {
  const azure = text.indexOf("_git/");
  if (azure >= 0) {
    const [name = "", ...rest] = text.slice(azure + 5).split("/");
    return { repository: text.slice(0, azure + 5) + name, path: rest.join("/") };
  }
  const slashes = text.indexOf("//");
  if (slashes >= 0) return { repository: text.slice(0, slashes), path: text.slice(slashes + 2) };
  const suffix = text.indexOf(".git");
  if (suffix >= 0) return { repository: text.slice(0, suffix + 4), path: text.slice(suffix + 4) };
  if (whole) return { repository: text, path: "" };
  const parts = text.split("/");
  if (parts.length < 2) return undefined;
  return { repository: parts.slice(0, 2).join("/"), path: parts.slice(2).join("/") };
}

function clean(path: string): string {
  const kept: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else kept.push(part);
  }
  return kept.join("/");
}

function readQuery(query: string): Pick<RepoSpec, "ref" | "submodules" | "timeout"> {
  const values = new URLSearchParams(query);
  const ref = values.get("ref") || values.get("version") || "";
  const said = values.get("submodules") ?? "";
  const submodules = !/^(?:0|f|F|false|FALSE|False)$/.test(said);
  return { ref, submodules, timeout: milliseconds(values.get("timeout") ?? "") ?? DEFAULT_TIMEOUT };
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `61`, `61s` or `1m30s`. */
function milliseconds(text: string): number | undefined {
  if (/^\d{1,9}$/.test(text)) return Number(text) > 0 ? Number(text) * 1000 : undefined;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text) || text.length > 40) return undefined;
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) sum += Number(amount) * UNITS[unit!]!;
  return sum > 0 ? sum : undefined;
}

/** Files over HTTP are told from repositories by what they are called; where neither says it, the server is asked. */
export const looksLikeFile = (address: string): boolean =>
  /^https?:\/\//i.test(address) && /\.(?:ya?ml|json)$/i.test(address.split(/[?#]/)[0]!);
