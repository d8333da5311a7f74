import { InvalidArgumentError, NotFoundError } from "@tiphys/errors";
import type { KubeObject } from "@tiphys/resources";
import { ModifierProblem, modifiers } from "./modifiers.js";

/** A secret that placeholders name: where it is kept, and which version of it. */
export interface WantedSecret {
  readonly path: string;
  /** Absent: the newest. */
  readonly version?: string;
  /** Version of Vault's KV engine, where the object says it. */
  readonly engine?: string;
}

/** All that a secret holds, by key; undefined where there is no such secret. */
export type SecretValues = (wanted: WantedSecret) => Readonly<Record<string, unknown>> | undefined;

const ANNOTATION = "avp.kubernetes.io/";
/** Bounded, so that a text full of beginnings takes no time. */
const NAMED = /<path:[^#]{1,1024}?#[^#]{1,1024}?(?:#[^#]{1,1024}?)?>/g;
const ANY = /<[^\n]{0,2048}?>/g;
const PLACE = /^path:([^#]+)#([^#]+)(?:#(.+))?$/s;

interface Placeholder {
  /** As it is written, for messages. */
  readonly text: string;
  readonly secret: WantedSecret;
  readonly key: string;
  readonly pipeline: readonly string[];
}

/** How an object's placeholders are to be read. */
interface Rules {
  readonly pattern: RegExp;
  /** What `<key>` means; absent: it is no placeholder. */
  readonly fallback?: WantedSecret;
  readonly engine?: string;
  readonly removeMissing: boolean;
}

const annotation = (object: KubeObject, name: string): string | undefined =>
  object.metadata?.annotations?.[ANNOTATION + name];

function rulesOf(object: KubeObject): Rules {
  const path = annotation(object, "path");
  const version = annotation(object, "secret-version");
  const engine = annotation(object, "kv-version");
  const kind = engine === undefined ? {} : { engine };
  return {
    pattern: path === undefined ? NAMED : ANY,
    ...(path === undefined ? {} : { fallback: { path, ...(version === undefined ? {} : { version }), ...kind } }),
    ...kind,
    removeMissing: annotation(object, "remove-missing") === "true",
  };
}

/** Whether an object's placeholders are to be left alone. */
const isIgnored = (object: KubeObject): boolean => annotation(object, "ignore") === "true";

function placeholderOf(text: string, { fallback, engine }: Rules): Placeholder | undefined {
  const [head = "", ...pipeline] = text.replace(/^<+|>+$/g, "").split("|");
  const place = PLACE.exec(head.trim());
  if (!place) return fallback && { text, secret: fallback, key: head.trim(), pipeline };
  const [, path = "", key = "", version] = place;
  const secret = { path, ...(version ? { version } : {}), ...(engine === undefined ? {} : { engine }) };
  return { text, secret, key: key.trim(), pipeline };
}

/** The text in which placeholders are looked for: what a Secret's `data` stands for, where that has some. */
function readable(object: KubeObject, text: string): { readonly text: string; readonly encoded: boolean } {
  if (object.kind === "Secret" && /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0) {
    const decoded = Buffer.from(text, "base64").toString("utf8");
    if (/<[^\n]*>/.test(decoded)) return { text: decoded, encoded: true };
  }
  return { text, encoded: false };
}

function eachText(value: unknown, at: string, visit: (text: string, at: string) => void): void {
  if (typeof value === "string") visit(value, at);
  else if (Array.isArray(value)) for (const [i, each] of value.entries()) eachText(each, `${at}[${i}]`, visit);
  else if (typeof value === "object" && value !== null) {
    for (const [key, each] of Object.entries(value)) eachText(each, at === "" ? key : `${at}.${key}`, visit);
  }
}

const idOf = ({ path, version = "", engine = "" }: WantedSecret): string => JSON.stringify([path, version, engine]);

/** The secrets that an object's placeholders name, each once; none where its annotations say that they are none. */
export function wantedSecrets(object: KubeObject): WantedSecret[] {
  if (isIgnored(object)) return [];
  const rules = rulesOf(object);
  const found = new Map<string, WantedSecret>();
  eachText(object, "", (given) => {
    if (!given.includes("<") && object.kind !== "Secret") return;
    const { text } = readable(object, given);
    for (const [match] of text.matchAll(rules.pattern)) {
      const placeholder = placeholderOf(match, rules);
      if (placeholder) found.set(idOf(placeholder.secret), placeholder.secret);
    }
  });
  return [...found.values()];
}

const shown = (object: KubeObject): string => `${object.kind} ${object.metadata?.name ?? ""}`;

class MissingKey extends NotFoundError {}

/** The object with values in place of its placeholders. Refuses by name what is not among the values. */
export function fillPlaceholders(object: KubeObject, values: SecretValues): KubeObject {
  if (isIgnored(object)) return object;
  const rules = rulesOf(object);
  if (rules.removeMissing && object.kind !== "Secret" && object.kind !== "ConfigMap") {
    throw new InvalidArgumentError(
      `metadata.annotations[${ANNOTATION}remove-missing]`,
      `${shown(object)}: it is for Secrets and ConfigMaps only`,
    );
  }

  const valueFor = ({ text, secret, key, pipeline }: Placeholder, at: string): unknown => {
    const held = values(secret);
    if (!held || !Object.hasOwn(held, key)) {
      throw new MissingKey(`${shown(object)}: ${at}: ${text} has no value: ${secret.path} has no key ${key}`);
    }
    return pipeline.reduce<unknown>((value, statement) => {
      const [name = "", ...parameters] = statement.trim().split(/\s+/);
      const modifier = Object.hasOwn(modifiers, name) ? modifiers[name] : undefined;
      try {
        if (!modifier) throw new ModifierProblem("there is no such modifier");
        return modifier(value, parameters);
      } catch (error) {
        if (!(error instanceof ModifierProblem)) throw error;
        throw new InvalidArgumentError("", `${shown(object)}: ${at}: ${text}: ${name}: ${error.message}`);
      }
    }, held[key]);
  };

  const filled = (given: string, at: string): unknown => {
    let whole: unknown;
    const text = given.replace(rules.pattern, (match) => {
      const placeholder = placeholderOf(match, rules);
      if (!placeholder) return match;
      const value = valueFor(placeholder, at);
      if (typeof value === "string") return value;
      // What is no text takes the place of the whole field: `replicas: <replicas>`.
      whole = value;
      return match;
    });
    return whole === undefined || whole === null ? text : whole;
  };

  const stringOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

  const replaced = (given: string, at: string): unknown => {
    const { text, encoded } = readable(object, given);
    const value = filled(text, at);
    if (encoded) return value === text ? given : Buffer.from(stringOf(value)).toString("base64");
    return object.kind === "ConfigMap" ? stringOf(value) : value;
  };

  const walk = (value: unknown, at: string): unknown => {
    if (typeof value === "string") return replaced(value, at);
    if (Array.isArray(value)) return value.map((each, i) => walk(each, `${at}[${i}]`));
    if (typeof value !== "object" || value === null) return value;
    const entries: [string, unknown][] = [];
    for (const [key, each] of Object.entries(value)) {
      try {
        entries.push([key, walk(each, at === "" ? key : `${at}.${key}`)]);
      } catch (error) {
        if (!(rules.removeMissing && error instanceof MissingKey && typeof each === "string")) throw error;
      }
    }
    return Object.fromEntries(entries);
  };
  return walk(object, "") as KubeObject;
}
