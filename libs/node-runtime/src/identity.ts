import { ContainerConfigError } from "./env.js";
import type { PodContainer } from "./plan.js";

/** Who a container's process is, and what it may do. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Groups besides `gid`, ascending. */
  readonly groups: readonly number[];
  /** Capabilities that root keeps, without `CAP_`, sorted; another user has none. */
  readonly capabilities: readonly string[];
  /** Home folder by the image's passwd file. */
  readonly home: string;
}

/** What root may do in a container of ours: containerd's set without making devices and writing audit records. */
const DEFAULT_CAPABILITIES: readonly string[] = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "NET_BIND_SERVICE",
  "NET_RAW",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
];

/** What may be added: harmless inside namespaces of its own. Others would reach the host, whose network pods share. */
const ADDABLE: ReadonlySet<string> = new Set([
  ...DEFAULT_CAPABILITIES,
  "IPC_LOCK",
  "IPC_OWNER",
  "SYS_NICE",
  "SYS_PTRACE",
  "SYS_RESOURCE",
]);

/** A capability as people write it: `NET_ADMIN`, `CAP_NET_ADMIN`, in any case. */
const named = (capability: string): string => capability.toUpperCase().replace(/^CAP_/, "");

/** Capabilities a container asks for and does not get, sorted. */
export function refusedCapabilities(container: PodContainer): readonly string[] {
  const add: string[] = container["securityContext"]?.capabilities?.add ?? [];
  return add
    .map(named)
    .filter((capability) => capability !== "ALL" && !ADDABLE.has(capability))
    .sort();
}

export function capabilitiesOf(container: PodContainer): readonly string[] {
  const { add = [], drop = [] } = (container["securityContext"]?.capabilities ?? {}) as {
    add?: string[];
    drop?: string[];
  };
  const added = add.map(named).flatMap((one) => (one === "ALL" ? DEFAULT_CAPABILITIES : ADDABLE.has(one) ? [one] : []));
  const dropped = new Set(drop.map(named));
  const kept = dropped.has("ALL") ? [] : DEFAULT_CAPABILITIES.filter((capability) => !dropped.has(capability));
  return [...new Set([...kept, ...added.filter((capability) => !dropped.has(capability))])].sort();
}

interface PasswdRow {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** The users and groups of an image, or of the host. */
export interface Accounts {
  readonly passwd: string;
  readonly group: string;
}

const NUMBER = /^\d{1,10}$/;
const LARGEST_ID = 2 ** 32 - 2;

function passwdRows(text: string): PasswdRow[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , uid = "", gid = "", , home = ""] = line.split(":");
    return NUMBER.test(uid) && NUMBER.test(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home }] : [];
  });
}

const groupRows = (text: string) =>
  text.split("\n").flatMap((line) => {
    const [name = "", , gid = "", members = ""] = line.split(":");
    return NUMBER.test(gid) ? [{ name, gid: Number(gid), members: members.split(",").filter(Boolean) }] : [];
  });

/**
 * The identity that the pod, the container and the image's `User` ask for, in that order of weight. Throws
 * ContainerConfigError in a kubelet's words when it cannot be, such as root where `runAsNonRoot` is set.
 */
export function identityOf(
  // biome-ignore lint/suspicious/noExplicitAny: a security context as the API gives it
  podContext: Record<string, any> | undefined,
  container: PodContainer,
  imageUser: string,
  accounts: Accounts,
  where: { readonly pod: string },
): Identity {
  const own = container["securityContext"] ?? {};
  const pod = podContext ?? {};
  const users = passwdRows(accounts.passwd);
  const groups = groupRows(accounts.group);
  const [userName = "", groupName = ""] = imageUser.split(":");
  const asked: number | undefined = own.runAsUser ?? pod["runAsUser"];
  const nonRoot: boolean | undefined = own.runAsNonRoot ?? pod["runAsNonRoot"];
  const suffix = `(pod: "${where.pod}", container: ${container.name})`;
  let uid = asked;
  let row: PasswdRow | undefined;
  if (uid === undefined && userName !== "") {
    if (NUMBER.test(userName)) uid = Number(userName);
    else {
      if (nonRoot) {
        throw new ContainerConfigError(
          `container has runAsNonRoot and image has non-numeric user (${userName}), cannot verify user is non-root ${suffix}`,
        );
      }
      row = users.find(({ name }) => name === userName);
      if (!row) throw new ContainerConfigError(`unable to find user ${userName}: no matching entries in passwd file`);
      uid = row.uid;
    }
  }
  uid ??= 0;
  if (uid > LARGEST_ID) throw new ContainerConfigError(`user id ${uid} is out of range`);
  row ??= users.find((one) => one.uid === uid);
  if (nonRoot && uid === 0) {
    throw new ContainerConfigError(
      asked === undefined
        ? `container has runAsNonRoot and image will run as root ${suffix}`
        : `container's runAsUser breaks non-root policy ${suffix}`,
    );
  }
  let gid: number | undefined = own.runAsGroup ?? pod["runAsGroup"];
  if (gid === undefined && asked === undefined && groupName !== "") {
    gid = NUMBER.test(groupName) ? Number(groupName) : groups.find(({ name }) => name === groupName)?.gid;
    if (gid === undefined)
      throw new ContainerConfigError(`unable to find group ${groupName}: no matching entries in group file`);
  }
  gid ??= row?.gid ?? 0;
  const member =
    row && pod["supplementalGroupsPolicy"] !== "Strict"
      ? groups.filter(({ members }) => members.includes(row.name)).map((one) => one.gid)
      : [];
  const more: number[] = [
    ...member,
    ...(pod["supplementalGroups"] ?? []),
    ...(pod["fsGroup"] === undefined ? [] : [pod["fsGroup"]]),
  ];
  return {
    uid,
    gid,
    groups: [...new Set(more)].filter((one) => one !== gid).sort((a, b) => a - b),
    capabilities: uid === 0 ? capabilitiesOf(container) : [],
    home: row?.home || "/",
  };
}
