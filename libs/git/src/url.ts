import { InvalidArgumentError } from "@tiphys/errors";

const SCP_LIKE = /^(?:([^@/\s]+)@)?([A-Za-z0-9._-]+):(?!\/\/)(.+)$/;
const schemes: ReadonlySet<string> = new Set(["https:", "http:", "ssh:", "file:"]);

/** Refuses what git would read as an option, a remote helper or a scheme we do not speak. `field` names the input. */
export function checkRepositoryUrl(url: string, field = "repoURL"): void {
  if (url === "") throw new InvalidArgumentError(field, "is empty: give the URL of a Git repository");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  if (url.startsWith("-") || url.includes("::") || /[\u0000-\u001f\s]/.test(url)) {
    throw new InvalidArgumentError(field, `"${redactUrl(url)}" is not the URL of a Git repository`);
  }
  if (url.startsWith("/") || (!url.includes("://") && SCP_LIKE.test(url))) return;
  let scheme: string;
  try {
    scheme = new URL(url).protocol;
  } catch (cause) {
    throw new InvalidArgumentError(field, `"${redactUrl(url)}" is not a URL`, { cause });
  }
  if (!schemes.has(scheme)) {
    throw new InvalidArgumentError(
      field,
      `scheme "${scheme}" of "${redactUrl(url)}" is not one of https, http, ssh, file`,
    );
  }
}

/** The URL without user and password, fit for messages. */
export function redactUrl(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^@/]*@/i, "$1");
}

interface Address {
  /** Scheme, host and port, of ssh the user too: who is spoken to, and by which means. */
  readonly origin: string;
  /** Without the slash it begins with; of a prefix the slash at its end counts. */
  readonly path: string;
}

/** `git@host` and `git@host:` mean all of a host, which is no repository but a prefix of many. */
const SCP_PREFIX = /^([^@/\s:]+)@([A-Za-z0-9._-]+):?$/;

function addressOf(url: string): Address | undefined {
  const text = url.trim();
  const scp = text.includes("://") ? null : (SCP_LIKE.exec(text) ?? SCP_PREFIX.exec(text));
  const plain = (path: string) =>
    path
      .replace(/^\/+/, "")
      .replace(/\.git$/i, "")
      .toLowerCase();
  if (scp) return { origin: `ssh://${scp[1] ?? ""}@${scp[2]?.toLowerCase()}:22`, path: plain(scp[3] ?? "") };
  if (text.startsWith("/")) return { origin: "file:", path: plain(text) };
  try {
    const { protocol, username, hostname, port, pathname } = new URL(text);
    const user = protocol === "ssh:" ? `${username}@` : "";
    return {
      origin: `${protocol}//${user}${hostname.toLowerCase()}:${port || (ports[protocol] ?? "")}`,
      path: plain(pathname),
    };
  } catch {
    return undefined;
  }
}

const withoutSlash = (path: string): string => path.replace(/\/+$/, "").replace(/\.git$/, "");

/** Whether two URLs are of one repository at one server: scheme, host, port and path, of ssh also the user. */
export function sameRepository(one: string, other: string): boolean {
  const [a, b] = [addressOf(one), addressOf(other)];
  return a !== undefined && b !== undefined && a.origin === b.origin && withoutSlash(a.path) === withoutSlash(b.path);
}

/** Whether two URLs are of one server, reached by the same means. */
export function sameOrigin(one: string, other: string): boolean {
  const origin = addressOf(one)?.origin;
  return origin !== undefined && origin === addressOf(other)?.origin;
}

/**
 * How much of `url` a prefix fits, as Argo CD's credential templates have it: a part of a name in the path counts too, but scheme, host
 * and port are whole. Undefined where it does not fit.
 */
export function prefixLength(prefix: string, url: string): number | undefined {
  const [a, b] = [addressOf(prefix), addressOf(url)];
  return a && b && a.origin === b.origin && b.path.startsWith(a.path) ? a.path.length : undefined;
}

/**
 * One spelling per repository: host/path in lower case, without scheme, user, port of the scheme, trailing slash and
 * `.git`. For comparing URLs of webhooks with those of applications, never for connecting.
 */
export function canonicalRepositoryUrl(url: string): string {
  const text = url.trim();
  const scp = text.includes("://") ? null : SCP_LIKE.exec(text);
  let host: string;
  let path: string;
  if (scp) [host, path] = [scp[2] ?? "", scp[3] ?? ""];
  else {
    try {
      const parsed = new URL(text);
      [host, path] = [parsed.hostname, decodeURIComponent(parsed.pathname)];
    } catch {
      [host, path] = ["", text];
    }
  }
  const trimmed = path.replace(/^\/+|\/+$/g, "").replace(/\.git$/i, "");
  return `${host}/${trimmed}`.toLowerCase();
}

/** True for URLs that ssh serves. */
export const isSshUrl = (url: string): boolean =>
  url.startsWith("ssh://") || (!url.includes("://") && !url.startsWith("/") && SCP_LIKE.test(url));

const ports: Readonly<Record<string, number>> = { "https:": 443, "http:": 80, "ssh:": 22 };

/** Host and port that a URL is dialled at; undefined for a folder. */
export function endpointOf(url: string): { readonly host: string; readonly port: number } | undefined {
  if (url.startsWith("/")) return undefined;
  const scp = url.includes("://") ? null : SCP_LIKE.exec(url);
  if (scp) return { host: scp[2] ?? "", port: 22 };
  const { protocol, hostname, port } = new URL(url);
  const usual = ports[protocol];
  return usual === undefined ? undefined : { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || usual) };
}
