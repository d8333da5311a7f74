import { createHmac } from "node:crypto";
import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { fillPlaceholders, type WantedSecret, wantedSecrets } from "@tiphys/placeholder";
import type { Manifest, RenderResponse } from "@tiphys/render";
import type { KubeObject } from "@tiphys/resources";
import type { Secret } from "@tiphys/secret";
import type { SecretProvider } from "@tiphys/secret-provider";
import { ownSecretsFor } from "./own-secrets.js";
import { secretText } from "./secret-values.js";

const SECRET_PROVIDER = "secret-provider";
const KEYS_KEPT = 5_000;
/** How old what a provider said may be, at most, however old the caller would take it. */
const MOST_AGE = 180_000;
const NAMED_IN_WARNING = 5;

export interface PlaceholdersDeps {
  /** Secrets of ours in the control namespace. */
  readonly secrets: () => readonly KubeObject[];
  /** Opens a provider by the entries of its Secret. */
  readonly open: (entries: Readonly<Record<string, string>>, where: string) => SecretProvider;
  /** For keys of what has values in it: nobody else can tell from them whether a value is the same. */
  readonly key: Secret;
}

export interface FillOptions {
  readonly project: string;
  readonly maxAge: number;
  readonly noCache: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Puts values of secrets in place of the placeholders of what was rendered; nothing with values in it is kept. */
export interface Placeholders {
  fill(rendered: RenderResponse, options: FillOptions): Promise<RenderResponse>;
}

interface Waiting {
  readonly at: number;
  readonly object: KubeObject;
  readonly wanted: readonly WantedSecret[];
}

const idOf = ({ path, version, engine }: WantedSecret): string => JSON.stringify([path, version, engine]);

export function createPlaceholders(deps: PlaceholdersDeps): Placeholders {
  /** Keys of results that have no placeholders. */
  const without = new Set<string>();
  const opened = new Map<string, { readonly version: string; readonly provider: SecretProvider }>();

  function providerFor(project: string): SecretProvider | undefined {
    const [secret, other] = ownSecretsFor(SECRET_PROVIDER, project, deps.secrets());
    if (!secret) return undefined;
    const { name, resourceVersion = "" } = secret.metadata;
    if (other) {
      throw new InvalidArgumentError(
        "projects",
        `Secrets ${name} and ${other.metadata.name} are both providers of secrets for project ${project}: one must be enough`,
      );
    }
    const known = opened.get(name);
    if (known?.version === resourceVersion) return known.provider;
    const entries = Object.fromEntries(
      Object.keys((secret["data"] ?? {}) as object).map((key) => [key, secretText(secret, key) ?? ""]),
    );
    const provider = deps.open(entries, `Secret ${name}`);
    opened.set(name, { version: resourceVersion, provider });
    return provider;
  }

  function waiting(rendered: RenderResponse): Waiting[] {
    if (without.has(rendered.key)) return [];
    const found = rendered.manifests.flatMap(({ json }, at) => {
      if (!mayHold(json)) return [];
      const object = JSON.parse(json) as KubeObject;
      const wanted = wantedSecrets(object);
      return wanted.length > 0 ? [{ at, object, wanted }] : [];
    });
    if (found.length === 0) {
      without.add(rendered.key);
      if (without.size > KEYS_KEPT) without.delete(without.values().next().value as string);
    }
    return found;
  }

  return {
    async fill(rendered, { project, maxAge, noCache, signal }) {
      const found = waiting(rendered);
      if (found.length === 0) return rendered;
      const provider = providerFor(project);
      if (!provider) return { ...rendered, warnings: [...rendered.warnings, unresolved(found, project)] };
      const wanted = new Map(found.flatMap((each) => each.wanted).map((each) => [idOf(each), each]));
      if (wanted.size > limits.secretsPerSource) {
        throw new LimitExceededError(`the source names more than ${limits.secretsPerSource} secrets`);
      }
      const options = { maxAge: noCache ? 0 : Math.min(maxAge, MOST_AGE), ...(signal ? { signal } : {}) };
      const held = new Map(
        await Promise.all([...wanted].map(async ([id, each]) => [id, await provider.read(each, options)] as const)),
      );
      const manifests: Manifest[] = [...rendered.manifests];
      const sign = createHmac("sha256", deps.key.reveal());
      for (const { at, object } of found) {
        const json = JSON.stringify(fillPlaceholders(object, (each) => held.get(idOf(each))));
        manifests[at] = { ...(manifests[at] as Manifest), json };
        sign.update(`${json.length} ${json}`);
      }
      return { ...rendered, key: `${rendered.key}+${sign.digest("hex")}`, manifests };
    },
  };
}

/** Whether it is worth while to look at an object: values of a Secret may be encoded. */
const mayHold = (json: string): boolean =>
  json.includes("<path:") ||
  json.includes('"avp.kubernetes.io/path"') ||
  (json.includes('"kind":"Secret"') && json.includes('"data":'));

function unresolved(found: readonly Waiting[], project: string): { type: string; message: string } {
  const names = [...new Set(found.map(({ object }) => `${object.kind} ${object.metadata.name}`))].sort();
  const more = names.length > NAMED_IN_WARNING ? ` and ${names.length - NAMED_IN_WARNING} more` : "";
  return {
    type: "UnresolvedPlaceholderWarning",
    message: `${names.slice(0, NAMED_IN_WARNING).join(", ")}${more}: placeholders like <path:…#key> are left as they are, because no Secret labelled tiphys.dev/secret-type: ${SECRET_PROVIDER} names project ${project} in its projects; avp.kubernetes.io/ignore: "true" on an object says that they are none`,
  };
}
