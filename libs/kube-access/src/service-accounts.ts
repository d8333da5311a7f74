const PREFIX = "system:serviceaccount:";

export const serviceAccountUsername = (namespace: string, name: string): string => `${PREFIX}${namespace}:${name}`;

/** The groups every account of `namespace` is in. */
export const serviceAccountGroups = (namespace: string): string[] => [
  "system:serviceaccounts",
  `system:serviceaccounts:${namespace}`,
];

const NAMESPACE = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Namespace and name of the account with this username; undefined when it is no account's. */
export function splitUsername(username: string): { readonly namespace: string; readonly name: string } | undefined {
  if (!username.startsWith(PREFIX)) return undefined;
  const [namespace = "", name = "", ...more] = username.slice(PREFIX.length).split(":");
  if (more.length > 0 || namespace.length > 63 || name.length > 253) return undefined;
  return NAMESPACE.test(namespace) && NAME.test(name) ? { namespace, name } : undefined;
}
