/** What a render may ask about the application it is for; what it asked is part of its key. */
export interface RenderContext {
  readonly appName: string;
  /** Namespace of the destination. */
  readonly namespace: string;
  readonly project: string;
  /** The commit, or the version of a chart. */
  readonly revision: string;
  readonly repoURL: string;
  readonly path: string;
  readonly targetRevision: string;
  /** Of the destination's cluster. */
  readonly kubeVersion: string;
  readonly apiVersions: readonly string[];
  /** Versions of kustomize that the operator has registered. */
  readonly kustomizeVersions?: readonly string[];
}

/** Argo CD's build environment, by names without `ARGOCD_APP_`. */
const variables: Readonly<Record<string, (context: RenderContext) => string>> = {
  NAME: ({ appName }) => appName,
  NAMESPACE: ({ namespace }) => namespace,
  PROJECT_NAME: ({ project }) => project,
  REVISION: ({ revision }) => revision,
  REVISION_SHORT: ({ revision }) => revision.slice(0, 7),
  REVISION_SHORT_8: ({ revision }) => revision.slice(0, 8),
  SOURCE_REPO_URL: ({ repoURL }) => repoURL,
  SOURCE_PATH: ({ path }) => path,
  SOURCE_TARGET_REVISION: ({ targetRevision }) => targetRevision,
};

const PREFIX = "ARGOCD_APP_";

/** The value of a variable of the build environment; empty for any other. */
export function environmentValue(name: string, context: RenderContext): string {
  const short = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : "";
  return Object.hasOwn(variables, short) ? (variables[short]?.(context) ?? "") : "";
}

/** All of the build environment, for programs that get it as theirs. */
export const buildEnvironment = (context: RenderContext): Record<string, string> =>
  Object.fromEntries(Object.entries(variables).map(([name, value]) => [PREFIX + name, value(context)]));

const SPECIAL = /[*#$@!?\-0-9]/;
const NAME = /[A-Za-z0-9_]+/y;

/**
 * Replaces `$NAME` and `${NAME}` by what `valueFor` gives, and `$$` by `$`, as Go's `os.Expand` does: names of one special
 * character count, a brace that is not closed is dropped, and a `$` before anything else stays.
 */
export function substitute(text: string, valueFor: (name: string) => string): string {
  if (!text.includes("$")) return text;
  const value = (name: string) => (name === "$" ? "$" : valueFor(name));
  let out = "";
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string;
    if (char !== "$" || at + 1 >= text.length) {
      out += char;
      continue;
    }
    const next = text[at + 1] as string;
    if (next === "{") {
      const inner = text[at + 2] ?? "";
      const special = SPECIAL.test(inner) && text[at + 3] === "}";
      const close = text.indexOf("}", at + 2);
      if (special) {
        out += value(inner);
        at += 3;
      } else if (close < 0) at += 1;
      else if (close === at + 2) at += 2;
      else {
        out += value(text.slice(at + 2, close));
        at = close;
      }
    } else if (SPECIAL.test(next)) {
      out += value(next);
      at += 1;
    } else {
      NAME.lastIndex = at + 1;
      const name = NAME.exec(text)?.[0] ?? "";
      if (name === "") out += "$";
      else out += value(name);
      at += name.length;
    }
  }
  return out;
}
