import { InvalidArgumentError } from "@tiphys/errors";
import { isDigest } from "./digest.js";

/** A parsed image or artifact reference. `registry` is the name people write (`docker.io`), not where it is dialled. */
export interface Reference {
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

const DEFAULT_REGISTRY = "docker.io";
const LONGEST_NAME = 255;
const LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const REGISTRY = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?$`);
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;

/** The reference's text is not a valid one; another try is useless until it is written differently. */
export class InvalidReferenceError extends InvalidArgumentError {
  constructor(
    readonly reference: string,
    readonly problem: string,
  ) {
    super("", `"${reference}" is no valid image reference: ${problem}`);
  }
}

/**
 * `node:20` → docker.io/library/node, tag `20`. The first part is a registry when it has a dot, a colon or is
 * `localhost`, as docker reads it. Neither tag nor digest is made up: see {@link withDefaultTag}.
 */
export function parseReference(text: string): Reference {
  const bad = (problem: string): never => {
    throw new InvalidReferenceError(text.slice(0, 300), problem);
  };
  if (text === "") return bad("it is empty");
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) return bad("invalid digest format");
  const named = at < 0 ? text : text.slice(0, at);
  const slash = named.lastIndexOf("/");
  const colon = named.indexOf(":", slash + 1);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  if (tag !== undefined && !TAG.test(tag)) return bad("invalid reference format");
  const parts = (colon < 0 ? named : named.slice(0, colon)).split("/");
  const [first = ""] = parts;
  const hasRegistry =
    parts.length > 1 && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  let registry = hasRegistry ? first : DEFAULT_REGISTRY;
  if (!REGISTRY.test(registry)) return bad("invalid reference format");
  if (registry === "index.docker.io") registry = DEFAULT_REGISTRY;
  const rest = hasRegistry ? parts.slice(1) : parts;
  const path = registry === DEFAULT_REGISTRY && rest.length === 1 ? ["library", ...rest] : rest;
  const repository = path.join("/");
  if (repository !== repository.toLowerCase()) {
    return bad(`invalid reference format: repository name (${repository}) must be lowercase`);
  }
  if (!path.every((component) => COMPONENT.test(component))) return bad("invalid reference format");
  if (registry.length + repository.length + 1 > LONGEST_NAME)
    return bad("repository name must not be more than 255 characters");
  return { registry, repository, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** Neither tag nor digest means `latest`. */
export const withDefaultTag = (reference: Reference): Reference =>
  reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: "latest" } : reference;

/** The full text, such as `docker.io/library/node:20`. */
export function formatReference({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** What the registry is asked for: the digest where there is one. */
export const manifestKey = ({ tag, digest }: Reference): string => digest ?? tag ?? "latest";
