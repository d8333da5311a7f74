import { aggregate } from "./coverage.js";
import { type Attributes, isPath, type PolicyRule, ruleAllows } from "./rules.js";
import { serviceAccountUsername } from "./service-accounts.js";
import { quoted } from "./text.js";

export interface User {
  readonly username: string;
  readonly groups: readonly string[];
}

export interface RoleRef {
  readonly apiGroup?: string;
  readonly kind: string;
  readonly name: string;
}

export interface Subject {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

interface Binding {
  readonly name: string;
  /** Undefined: a ClusterRoleBinding. */
  readonly namespace: string | undefined;
  readonly roleRef: RoleRef;
  readonly subjects: readonly Subject[];
}

export interface Decision {
  readonly allowed: boolean;
  /** Which binding allows it, or which roles could not be found. */
  readonly reason: string;
}

/** The rules a user holds, and what could not be resolved. */
export interface HeldRules {
  readonly rules: readonly PolicyRule[];
  readonly errors: readonly string[];
}

/** The namespace whose bindings count beside those of the cluster; "": none. */
const scopeOf = (attributes: Attributes): string => (isPath(attributes) ? "" : (attributes.namespace ?? ""));

const NO_BINDINGS: readonly Binding[] = [];

/** Who a subject of a binding is, in the keys of a {@link Subjects} index; undefined: nobody. */
function keyOf(subject: Subject, namespace: string | undefined): string | undefined {
  if (subject.kind === "User") return `u:${subject.name}`;
  if (subject.kind === "Group") return `g:${subject.name}`;
  if (subject.kind !== "ServiceAccount") return undefined;
  const home = subject.namespace || namespace;
  return home ? `u:${serviceAccountUsername(home, subject.name)}` : undefined;
}

/** Bindings by the subjects they name. */
class Subjects {
  private readonly byKey = new Map<string, Binding[]>();

  add(binding: Binding): void {
    for (const key of this.keys(binding)) {
      const known = this.byKey.get(key);
      if (known) known.push(binding);
      else this.byKey.set(key, [binding]);
    }
  }

  remove(binding: Binding): void {
    for (const key of this.keys(binding)) {
      const rest = this.byKey.get(key)?.filter((other) => other !== binding) ?? [];
      if (rest.length > 0) this.byKey.set(key, rest);
      else this.byKey.delete(key);
    }
  }

  of(key: string): readonly Binding[] {
    return this.byKey.get(key) ?? NO_BINDINGS;
  }

  private keys({ subjects, namespace }: Binding): Set<string> {
    const keys = new Set<string>();
    for (const subject of subjects) {
      const key = keyOf(subject, namespace);
      if (key !== undefined) keys.add(key);
    }
    return keys;
  }
}

/**
 * Roles and bindings, found by the subject who asks and the namespace they ask in: a decision looks at the bindings of that
 * user and their groups alone, however many others there are. Fed with every change of the four RBAC kinds.
 */
export class AccessIndex {
  private readonly clusterRoles = new Map<string, readonly PolicyRule[]>();
  private readonly roles = new Map<string, readonly PolicyRule[]>();
  private readonly bindings = new Map<string, Binding>();
  private readonly everywhere = new Subjects();
  private readonly inNamespaces = new Map<string, Subjects>();

  setRole(namespace: string | undefined, name: string, rules: readonly PolicyRule[] | undefined): void {
    const table = namespace === undefined ? this.clusterRoles : this.roles;
    const key = namespace === undefined ? name : `${namespace}/${name}`;
    if (rules) table.set(key, rules);
    else table.delete(key);
  }

  setBinding(
    namespace: string | undefined,
    name: string,
    binding: { readonly roleRef: RoleRef; readonly subjects?: readonly Subject[] } | undefined,
  ): void {
    const id = `${namespace ?? ""}/${name}`;
    const known = this.bindings.get(id);
    if (known) {
      this.scope(namespace).remove(known);
      this.bindings.delete(id);
    }
    if (!binding) return;
    const entry: Binding = { name, namespace, roleRef: binding.roleRef, subjects: binding.subjects ?? [] };
    this.bindings.set(id, entry);
    this.scope(namespace).add(entry);
  }

  /** Whether `user` may do it: the decision without its reason, for those who need none. */
  allows(user: User, attributes: Attributes): boolean {
    return this.allowing(user, attributes) !== undefined;
  }

  authorize(user: User, attributes: Attributes): Decision {
    const binding = this.allowing(user, attributes);
    if (binding) return { allowed: true, reason: `RBAC: allowed by ${describe(binding, user)}` };
    const errors: string[] = [];
    for (const { roleRef, namespace } of this.applying(user, scopeOf(attributes))) {
      const rules = this.resolve(roleRef, namespace);
      if (typeof rules === "string") errors.push(rules);
    }
    return { allowed: false, reason: errors.length > 0 ? `RBAC: ${aggregate(errors)}` : "" };
  }

  /** The binding that allows it. On every request's way: nothing is made here. */
  private allowing(user: User, attributes: Attributes): Binding | undefined {
    const local = this.inNamespaces.get(scopeOf(attributes));
    return this.allowingIn(this.everywhere, user, attributes) ?? (local && this.allowingIn(local, user, attributes));
  }

  private allowingIn(subjects: Subjects, { username, groups }: User, attributes: Attributes): Binding | undefined {
    const found = this.first(subjects.of(`u:${username}`), attributes);
    if (found) return found;
    for (const group of groups) {
      const byGroup = this.first(subjects.of(`g:${group}`), attributes);
      if (byGroup) return byGroup;
    }
    return undefined;
  }

  private first(bindings: readonly Binding[], attributes: Attributes): Binding | undefined {
    for (const binding of bindings) {
      const rules = this.resolve(binding.roleRef, binding.namespace);
      if (typeof rules === "string") continue;
      for (const rule of rules) if (ruleAllows(rule, attributes)) return binding;
    }
    return undefined;
  }

  /** Every rule that applies to `user` in `namespace` ("": cluster-wide ones alone). */
  rulesFor(user: User, namespace: string): HeldRules {
    const rules: PolicyRule[] = [];
    const errors: string[] = [];
    for (const binding of this.applying(user, namespace)) {
      const found = this.resolve(binding.roleRef, binding.namespace);
      if (typeof found === "string") errors.push(found);
      else rules.push(...found);
    }
    return { rules, errors };
  }

  /** The rules of a role as a binding in `namespace` refers to it; a text says why there are none. */
  resolve(ref: RoleRef, namespace: string | undefined): readonly PolicyRule[] | string {
    if (ref.kind === "ClusterRole") {
      return this.clusterRoles.get(ref.name) ?? `clusterrole.rbac.authorization.k8s.io ${quoted(ref.name)} not found`;
    }
    if (ref.kind === "Role") {
      return (
        this.roles.get(`${namespace ?? ""}/${ref.name}`) ??
        `role.rbac.authorization.k8s.io ${quoted(ref.name)} not found`
      );
    }
    return `unsupported role reference kind: ${quoted(ref.kind)}`;
  }

  private *applying({ username, groups }: User, namespace: string): Generator<Binding> {
    yield* this.everywhere.of(`u:${username}`);
    for (const group of groups) yield* this.everywhere.of(`g:${group}`);
    const local = namespace ? this.inNamespaces.get(namespace) : undefined;
    if (!local) return;
    yield* local.of(`u:${username}`);
    for (const group of groups) yield* local.of(`g:${group}`);
  }

  private scope(namespace: string | undefined): Subjects {
    if (namespace === undefined) return this.everywhere;
    let found = this.inNamespaces.get(namespace);
    if (!found) {
      found = new Subjects();
      this.inNamespaces.set(namespace, found);
    }
    return found;
  }
}

function describe({ name, namespace, roleRef, subjects }: Binding, { username, groups }: User): string {
  const mine = new Set([`u:${username}`, ...groups.map((group) => `g:${group}`)]);
  const subject = subjects.find((one) => mine.has(keyOf(one, namespace) ?? ""));
  const home = subject?.kind === "ServiceAccount" ? `/${subject.namespace || (namespace ?? "")}` : "";
  const to = `${subject?.kind ?? ""} ${quoted(`${subject?.name ?? ""}${home}`)}`;
  const role = `${roleRef.kind} ${quoted(roleRef.name)}`;
  return namespace === undefined
    ? `ClusterRoleBinding ${quoted(name)} of ${role} to ${to}`
    : `RoleBinding ${quoted(`${name}/${namespace}`)} of ${role} to ${to}`;
}
