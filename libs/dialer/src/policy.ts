import { BlockList, isIP } from "node:net";
import { InvalidArgumentError, PermissionDeniedError } from "@tiphys/errors";

export interface EgressPolicy {
  /** Ranges (`10.0.0.0/8`, `fd00::/8`), addresses or host globs (`*.internal`) that are refused. */
  readonly deny?: readonly string[];
  /** When given, hosts outside of it are refused: globs, addresses or ranges. Cluster names are always allowed. */
  readonly allow?: readonly string[];
  /** Redirects that are followed; 10 by default. */
  readonly maxRedirects?: number;
}

export interface EgressGuard {
  /** Throws PermissionDenied when `host` may not be dialled, by its name. */
  checkName(host: string): void;
  /** Throws PermissionDenied when the address that `host` stands for may not be dialled. */
  checkAddress(host: string, address: string, refuseLoopback?: boolean): void;
}

/** Link-local ranges: cloud metadata lives there. Refused always, whatever the policy allows. */
const LINK_LOCAL: readonly string[] = ["169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32"];
/** This machine itself, and "any address", which means it. */
const LOOPBACK: readonly string[] = ["127.0.0.0/8", "::1", "0.0.0.0/8", "::"];
const METADATA_NAMES: readonly string[] = [
  "metadata.google.internal",
  "metadata",
  "instance-data",
  "instance-data.ec2.internal",
];

function addressList(entries: readonly string[], field: string): { list: BlockList; globs: RegExp[]; size: number } {
  const list = new BlockList();
  const globs: RegExp[] = [];
  let size = 0;
  for (const entry of entries) {
    const [address = "", bits] = entry.split("/");
    const family = isIP(address);
    if (family === 0) {
      if (bits !== undefined) throw new InvalidArgumentError(field, `"${entry}" is neither a range nor a host`);
      globs.push(
        new RegExp(
          `^${entry
            .toLowerCase()
            .split("*")
            .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
            .join(".*")}$`,
        ),
      );
      continue;
    }
    size++;
    const type = family === 4 ? "ipv4" : "ipv6";
    if (bits === undefined) list.addAddress(address, type);
    else list.addSubnet(address, Number(bits), type);
  }
  return { list, globs, size };
}

/** An IPv4 address inside IPv6 (`::ffff:169.254.169.254`) is judged as what it is. */
function unmapped(address: string): string {
  const plain = address.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  const dotted = /^(?:0*:)*:?(?:0*:)*ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain);
  if (dotted) return dotted[1]!;
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(plain);
  if (!hex) return plain;
  const [high, low] = [Number.parseInt(hex[1]!, 16), Number.parseInt(hex[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

export function egressGuard({ deny = [], allow }: EgressPolicy): EgressGuard {
  const always = addressList(LINK_LOCAL, "policy");
  const loopback = addressList(LOOPBACK, "policy");
  const denied = addressList(deny, "policy.deny");
  const allowed = allow ? addressList(allow, "policy.allow") : undefined;
  const refuse = (host: string, why: string): never => {
    throw new PermissionDeniedError(`connections to ${host} are not allowed: ${why}`);
  };
  const holds = (list: BlockList, address: string) => list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  const nameAllowed = (host: string) => allowed!.globs.some((glob) => glob.test(host));
  return {
    checkName(given) {
      const host = given.toLowerCase().replace(/\.$/, "");
      if (METADATA_NAMES.includes(host)) refuse(given, "it is a cloud metadata service");
      if (denied.globs.some((glob) => glob.test(host))) refuse(given, "the egress policy denies this host");
      if (allowed && isIP(unmapped(host)) === 0 && !nameAllowed(host) && allowed.size === 0) {
        refuse(given, "the egress policy does not list this host");
      }
    },
    checkAddress(host, given, refuseLoopback = false) {
      const address = unmapped(given);
      if (isIP(address) === 0) refuse(host, `"${given}" is no address`);
      const shown = host === given ? host : `${host} (${address})`;
      if (holds(always.list, address)) refuse(shown, "it is a link-local or cloud metadata address");
      const listed =
        allowed !== undefined &&
        (nameAllowed(host.toLowerCase()) || (allowed.size > 0 && holds(allowed.list, address)));
      if (refuseLoopback && !listed && holds(loopback.list, address)) {
        refuse(shown, "it is this machine itself, and the address comes from a file");
      }
      if (denied.size > 0 && holds(denied.list, address)) refuse(shown, "the egress policy denies this address");
      if (allowed && !listed) {
        refuse(shown, "the egress policy does not list this host");
      }
    },
  };
}
