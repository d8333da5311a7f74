import { InvalidArgumentError } from "@tiphys/errors";
import type { Branch, Node } from "./tree.js";

/** One way to the data key, or to a part of it. */
export interface KeyEntry {
  /** `age`, `pgp`, or another kind's own word in the file. */
  readonly kind: string;
  /** The recipient, fingerprint or name of the key, for messages. */
  readonly name: string;
  readonly encrypted: string;
}

/** Which values are encrypted; SOPS allows one rule a file. */
export type Rule = {
  readonly by: "suffix" | "regex" | "comment";
  readonly pattern: string;
  readonly encrypts: boolean;
};

export interface Metadata {
  /** Several: each holds a part of the key. */
  readonly groups: readonly (readonly KeyEntry[])[];
  readonly threshold: number;
  readonly mac: string;
  readonly lastModified: string;
  readonly rule: Rule;
  readonly macOnlyEncrypted: boolean;
}

const KINDS = ["kms", "gcp_kms", "hckms", "azure_kv", "hc_vault", "pgp", "age"] as const;
const NAMES = ["recipient", "fp", "arn", "resource_id", "key_name", "name", "key_id"] as const;
const RULES: readonly (readonly [field: string, by: Rule["by"], encrypts: boolean])[] = [
  ["unencrypted_suffix", "suffix", false],
  ["encrypted_suffix", "suffix", true],
  ["unencrypted_regex", "regex", false],
  ["encrypted_regex", "regex", true],
  ["unencrypted_comment_regex", "comment", false],
  ["encrypted_comment_regex", "comment", true],
];
const DEFAULT_RULE: Rule = { by: "suffix", pattern: "_unencrypted", encrypts: false };

const child = (entries: Branch, key: string): Node | undefined => entries.find(([name]) => name === key)?.[1];
const text = (entries: Branch, key: string): string => {
  const node = child(entries, key);
  return node?.kind === "leaf" && node.leaf.type !== "null" ? node.leaf.text : "";
};
const maps = (entries: Branch, key: string): Branch[] => {
  const node = child(entries, key);
  return node?.kind === "list" ? node.items.flatMap((item) => (item.kind === "map" ? [item.entries] : [])) : [];
};

const keysOf = (entries: Branch): KeyEntry[] =>
  KINDS.flatMap((kind) =>
    maps(entries, kind).map((key) => ({
      kind,
      name: NAMES.map((field) => text(key, field)).find((name) => name !== "") ?? "",
      encrypted: text(key, "enc"),
    })),
  );

/** What the file says about how it is encrypted. */
export function readMetadata(entries: Branch): Metadata {
  const own = keysOf(entries);
  const groups = own.length > 0 ? [own] : maps(entries, "key_groups").map(keysOf);
  if (groups.length === 0) throw new InvalidArgumentError("sops", "names no key");
  const rules = RULES.filter(([field]) => text(entries, field) !== "");
  if (rules.length > 1) {
    throw new InvalidArgumentError(
      "sops",
      `has ${rules.map(([field]) => field).join(" and ")}: one of them is allowed`,
    );
  }
  const [field, by, encrypts] = rules[0] ?? [];
  return {
    groups,
    threshold: Number(text(entries, "shamir_threshold") || 0),
    mac: text(entries, "mac"),
    lastModified: text(entries, "lastmodified").replace(/\.\d+(?=Z|[+-])/, ""),
    rule:
      field !== undefined && by !== undefined && encrypts !== undefined
        ? { by, pattern: text(entries, field), encrypts }
        : DEFAULT_RULE,
    macOnlyEncrypted: /^true$/i.test(text(entries, "mac_only_encrypted")),
  };
}

/** Keys such as `age__list_0__map_enc`, as formats without nesting write them, back as a tree. */
export function unflatten(entries: readonly (readonly [string, string])[]): Branch {
  interface Builder {
    value?: string;
    children: Map<string, Builder>;
    list: boolean;
  }
  const root: Builder = { children: new Map(), list: false };
  for (const [key, value] of entries) {
    let at = root;
    for (const [, separator, name = ""] of `__map_${key}`.matchAll(/__(map|list)_((?:(?!__map_|__list_)[\s\S])*)/g)) {
      at.list = separator === "list";
      let next = at.children.get(name);
      if (!next) {
        next = { children: new Map(), list: false };
        at.children.set(name, next);
      }
      at = next;
    }
    at.value = value;
  }
  const nodeOf = (builder: Builder): Node => {
    if (builder.value !== undefined) return { kind: "leaf", leaf: { type: "str", text: builder.value } };
    const children = [...builder.children];
    if (!builder.list) return { kind: "map", entries: children.map(([name, each]) => [name, nodeOf(each)]) };
    children.sort(([a], [b]) => Number(a) - Number(b));
    return { kind: "list", items: children.map(([, each]) => nodeOf(each)) };
  };
  const node = nodeOf(root);
  return node.kind === "map" ? node.entries : [];
}
