import { InvalidArgumentError, PermissionDeniedError } from "@tiphys/errors";
import { parseReference, type Reference } from "@tiphys/oci";

export const OCI_SCHEME = "oci://";

/** True for repositories of an OCI registry: `oci://…`, and as Argo CD has it, an address without a scheme. */
export const isOciUrl = (url: string): boolean => url.startsWith(OCI_SCHEME) || !/^[a-z][a-z0-9+.-]*:\/\//i.test(url);

/** The URL without user and password, fit for messages. */
export const redactedUrl = (url: string): string => url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^@/]*@/i, "$1");

/** Refuses URLs of chart repositories that are no http(s) and no oci ones. `field` names the input. */
export function checkChartUrl(url: string, field = "repoURL"): void {
  const shown = redactedUrl(url).slice(0, 300);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  if (url === "" || /[\u0000-\u001f\s]/.test(url)) throw new InvalidArgumentError(field, `"${shown}" is not a URL`);
  if (isOciUrl(url)) {
    referenceOf(url, field);
    return;
  }
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new InvalidArgumentError(field, `"${shown}" is not a URL`, { cause });
  }
  if (parsed.protocol === "file:") {
    throw new PermissionDeniedError(
      `${field}: "${shown}" is a file of the server: charts come from https, http and oci`,
    );
  }
  if (parsed.protocol !== "https:" && parsed.protocol !== "http:") {
    throw new InvalidArgumentError(
      field,
      `scheme "${parsed.protocol.slice(0, -1)}" of "${shown}" is not one of https, http, oci`,
    );
  }
}

/** The repository of a registry that an OCI URL names, with its tag or digest if it has one. */
export function referenceOf(url: string, field = "repoURL"): Reference {
  const text = (url.startsWith(OCI_SCHEME) ? url.slice(OCI_SCHEME.length) : url).replace(/\/+$/, "");
  // Without a registry's name an image would be docker's; a chart's address has one always.
  const [first = ""] = text.split("/");
  if (!text.includes("/") || !/[.:]|^localhost$/.test(first)) {
    throw new InvalidArgumentError(field, `"${text.slice(0, 300)}" does not name a registry and a repository in it`);
  }
  return parseReference(text);
}

/** The address of a chart's own repository in a registry: `oci://host/path` and `name`. */
export function chartRepository(url: string, name: string): string {
  const base = url.replace(/\/+$/, "");
  return base.endsWith(`/${name}`) ? base : `${base}/${name}`;
}

/** Where `index.yaml` of a repository is; a query stays. */
export function indexUrl(repository: string): string {
  const url = new URL(repository);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/index.yaml`;
  return url.href;
}

/** Where a chart of an index is: an address of its own, or one relative to the repository, which then keeps its query. */
export function archiveUrl(repository: string, given: string): string {
  if (/^[a-z][a-z0-9+.-]*:/i.test(given)) return given;
  const base = new URL(repository);
  const { search } = base;
  base.pathname = `${base.pathname.replace(/\/+$/, "")}/`;
  const url = new URL(given, base);
  url.search = search;
  return url.href;
}
