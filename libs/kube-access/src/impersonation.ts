import type { Decision, User } from "./access-index.js";
import type { Attributes, ResourceAttributes } from "./rules.js";
import { serviceAccountGroups, splitUsername } from "./service-accounts.js";
import { quoted } from "./text.js";

export interface WholeUser extends User {
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

type Decide = (user: User, attributes: Attributes) => Decision;

/** Whom the request may act as, or what the requestor would have had to be allowed. */
export type Impersonation = { readonly user: WholeUser } | { readonly refused: Attributes; readonly reason: string };

const AUTHENTICATION = "authentication.k8s.io";
const ANONYMOUS = "system:anonymous";
const NODE = /^system:node:([a-z0-9]([-a-z0-9.]*[a-z0-9])?)$/;
/** From so many groups or extra values on, one wildcard is asked for first. */
const MANY = 4;

const nodeOf = (username: string): string | undefined => NODE.exec(username)?.[1];

class Refusal extends Error {
  constructor(
    readonly attributes: Attributes,
    readonly reason: string,
  ) {
    super(reason);
  }
}

interface Mode {
  /** "" is the old way: one verb, whatever is done in the other's name. */
  readonly name: string;
  applies(wanted: WholeUser, requestor: WholeUser): boolean;
}

const onlyName = ({ uid, groups, extra }: WholeUser) =>
  !uid && groups.length === 0 && Object.keys(extra ?? {}).length === 0;

/** In the order they are tried; the first refusal is the one told. */
const modes: readonly Mode[] = [
  {
    name: "associated-node",
    applies: (wanted, { username, extra }) => {
      const node = nodeOf(wanted.username);
      const own = extra?.["authentication.kubernetes.io/node-name"];
      return (
        onlyName(wanted) &&
        node !== undefined &&
        splitUsername(username) !== undefined &&
        own?.length === 1 &&
        own[0] === node
      );
    },
  },
  { name: "arbitrary-node", applies: (wanted) => onlyName(wanted) && nodeOf(wanted.username) !== undefined },
  { name: "serviceaccount", applies: (wanted) => onlyName(wanted) && splitUsername(wanted.username) !== undefined },
  {
    name: "user-info",
    applies: ({ username }) => nodeOf(username) === undefined && splitUsername(username) === undefined,
  },
  { name: "", applies: () => true },
];

/** Whether `requestor` may do what `attributes` say in the name of `wanted`, and as whom exactly. */
export function impersonate(
  decide: Decide,
  requestor: WholeUser,
  wanted: WholeUser,
  attributes: Attributes,
): Impersonation {
  let first: Refusal | undefined;
  for (const mode of modes) {
    if (!mode.applies(wanted, requestor)) continue;
    try {
      if (mode.name) ask(decide, requestor, { ...attributes, verb: `impersonate-on:${mode.name}:${attributes.verb}` });
      return { user: withMode(decide, mode.name, requestor, wanted) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      first ??= error;
    }
  }
  return { refused: first?.attributes ?? attributes, reason: first?.reason ?? "" };
}

function ask(decide: Decide, requestor: WholeUser, attributes: Attributes): void {
  const { allowed, reason } = decide(requestor, attributes);
  if (!allowed) throw new Refusal(attributes, reason);
}

const allows = (decide: Decide, requestor: WholeUser, attributes: Attributes) => decide(requestor, attributes).allowed;

function withMode(decide: Decide, mode: string, requestor: WholeUser, wanted: WholeUser): WholeUser {
  const verb = mode ? `impersonate:${mode}` : "impersonate";
  const group = mode ? AUTHENTICATION : "";
  const account = splitUsername(wanted.username);
  const node = mode ? nodeOf(wanted.username) : undefined;
  let groups = wanted.groups;
  let name: ResourceAttributes = { verb, group, resource: "users", name: wanted.username };
  if (node !== undefined) {
    name = { verb, group, resource: "nodes", name: mode === "associated-node" ? "*" : node };
    groups = ["system:nodes"];
  } else if (account) {
    name = { verb, group, resource: "serviceaccounts", ...account };
    if (groups.length === 0) groups = serviceAccountGroups(account.namespace);
  }
  ask(decide, requestor, name);
  if (wanted.uid) ask(decide, requestor, { verb, group: AUTHENTICATION, resource: "uids", name: wanted.uid });
  askGroups(decide, requestor, wanted.groups, { verb, group, resource: "groups" }, mode !== "");
  askExtra(decide, requestor, wanted.extra ?? {}, { verb, group: AUTHENTICATION, resource: "userextras" }, mode !== "");
  const known = wanted.username === ANONYMOUS ? "system:unauthenticated" : "system:authenticated";
  const needed = known === "system:unauthenticated" || !groups.includes("system:unauthenticated");
  return { ...wanted, groups: needed && !groups.includes(known) ? [...groups, known] : groups };
}

function askGroups(
  decide: Decide,
  requestor: WholeUser,
  groups: readonly string[],
  base: ResourceAttributes,
  constrained: boolean,
): void {
  if (constrained && groups.includes(""))
    throw new Refusal(base, "impersonating the empty string group is not allowed");
  if (constrained && groups.includes("system:masters")) {
    throw new Refusal({ ...base, name: "system:masters" }, "impersonating the system:masters group is not allowed");
  }
  if (constrained && groups.length >= MANY && allows(decide, requestor, { ...base, name: "*" })) return;
  for (const name of groups) ask(decide, requestor, { ...base, name });
}

function askExtra(
  decide: Decide,
  requestor: WholeUser,
  extra: Readonly<Record<string, readonly string[]>>,
  base: ResourceAttributes,
  constrained: boolean,
): void {
  const entries = Object.entries(extra).flatMap(([key, values]) => values.map((value) => [key, value] as const));
  if (constrained) {
    for (const [key, value] of entries) {
      if (key === "") throw new Refusal(base, "impersonating the empty string key in extra is not allowed");
      if (value === "") throw new Refusal(base, "impersonating the empty string value in extra is not allowed");
      if (!/^[a-z0-9][-a-z0-9.]*\/.+$/.test(key)) {
        const problem = `extra.key: Invalid value: ${quoted(key)}: must be a domain-prefixed path (such as "acme.io/foo")`;
        throw new Refusal(base, `impersonating an invalid key in extra is not allowed: ${problem}`);
      }
    }
    if (entries.length >= MANY && allows(decide, requestor, { ...base, subresource: "*", name: "*" })) return;
  }
  for (const [subresource, name] of entries) ask(decide, requestor, { ...base, subresource, name });
}

/** What is asked of whom an administrator of nobody wants to be, in the words of the API server. */
export function withoutName({ uid = "", groups, extra = {} }: Omit<WholeUser, "username">): string {
  const list = (values: readonly string[]) => `[]string{${values.map(quoted).join(", ")}}`;
  const members = Object.entries(extra)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, values]) => `${quoted(key)}:${list(values)}`);
  const map = members.length > 0 ? `map[string][]string{${members.join(", ")}}` : "map[string][]string(nil)";
  const all = groups.length > 0 ? list(groups) : "[]string(nil)";
  return `requested &user.DefaultInfo{Name:"", UID:${quoted(uid)}, Groups:${all}, Extra:${map}} without impersonating a user name`;
}
