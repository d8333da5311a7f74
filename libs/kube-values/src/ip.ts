/** An IP address: its bits as a number, 32 or 128 of them. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

/** A range of addresses: the address as written, not masked. */
export interface Cidr {
  readonly address: IpAddress;
  readonly prefix: number;
}

/** Reads `10.0.0.1` or `2001:db8::1`; undefined when it is no address. Leading zeros and zones are refused. */
export function parseIp(text: string): IpAddress | undefined {
  if (text.includes(":")) return parseIpv6(text);
  const bits = parseIpv4(text);
  return bits === undefined ? undefined : { family: 4, bits };
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let bits = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bits = (bits << 8n) | BigInt(part);
  }
  return bits;
}

function parseIpv6(text: string): IpAddress | undefined {
  if (text.length > 45) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const last = tail ?? head!;
  const dotted = last.at(-1);
  if (dotted?.includes(".")) {
    const ipv4 = parseIpv4(dotted);
    if (ipv4 === undefined) return undefined;
    last.splice(-1, 1, (ipv4 >> 16n).toString(16), (ipv4 & 0xffffn).toString(16));
  }
  const missing = 8 - head!.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head!, ...(tail === undefined ? [] : [...Array<string>(missing).fill("0"), ...tail])];
  let bits = 0n;
  for (const group of groups) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    bits = (bits << 16n) | BigInt(`0x${group}`);
  }
  return { family: 6, bits };
}

/** `::ffff:10.0.0.1`: an IPv4 address in IPv6 form. */
export const isMappedIpv4 = ({ family, bits }: IpAddress): boolean => family === 6 && bits >> 32n === 0xffffn;

/** The one canonical spelling (RFC 5952). */
export function formatIp({ family, bits }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 255n)).join(".");
  if (isMappedIpv4({ family, bits })) return `::ffff:${formatIp({ family: 4, bits: bits & 0xffffffffn })}`;
  const groups = Array.from({ length: 8 }, (_, at) => Number((bits >> BigInt(112 - 16 * at)) & 0xffffn));
  let best = { at: -1, size: 1 };
  for (let at = 0; at < 8; at++) {
    let size = 0;
    while (at + size < 8 && groups[at + size] === 0) size++;
    if (size > best.size) best = { at, size };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.at < 0) return hex.join(":");
  return `${hex.slice(0, best.at).join(":")}::${hex.slice(best.at + best.size).join(":")}`;
}

/** Reads `10.0.0.0/8`; undefined when it is no range. */
export function parseCidr(text: string): Cidr | undefined {
  const at = text.indexOf("/");
  if (at < 0) return undefined;
  const address = parseIp(text.slice(0, at));
  const size = text.slice(at + 1);
  if (address === undefined || !/^(0|[1-9]\d{0,2})$/.test(size)) return undefined;
  const prefix = Number(size);
  return prefix > (address.family === 4 ? 32 : 128) ? undefined : { address, prefix };
}

/** The address with its host bits cleared. */
export function maskIp({ family, bits }: IpAddress, prefix: number): IpAddress {
  const host = BigInt((family === 4 ? 32 : 128) - prefix);
  return { family, bits: (bits >> host) << host };
}

export const formatCidr = ({ address, prefix }: Cidr): string => `${formatIp(address)}/${prefix}`;

export const cidrContains = (range: Cidr, ip: IpAddress): boolean =>
  range.address.family === ip.family && maskIp(ip, range.prefix).bits === maskIp(range.address, range.prefix).bits;

const inRange = (ip: IpAddress, text: string): boolean => cidrContains(parseCidr(text)!, ip);

export const isUnspecifiedIp = ({ bits }: IpAddress): boolean => bits === 0n;
export const isLoopbackIp = (ip: IpAddress): boolean => inRange(ip, ip.family === 4 ? "127.0.0.0/8" : "::1/128");
export const isLinkLocalMulticastIp = (ip: IpAddress): boolean =>
  inRange(ip, ip.family === 4 ? "224.0.0.0/24" : "ff02::/16");
export const isLinkLocalUnicastIp = (ip: IpAddress): boolean =>
  inRange(ip, ip.family === 4 ? "169.254.0.0/16" : "fe80::/10");
export const isMulticastIp = (ip: IpAddress): boolean => inRange(ip, ip.family === 4 ? "224.0.0.0/4" : "ff00::/8");
export const isGlobalUnicastIp = (ip: IpAddress): boolean =>
  !isUnspecifiedIp(ip) &&
  !isLoopbackIp(ip) &&
  !isMulticastIp(ip) &&
  !isLinkLocalUnicastIp(ip) &&
  !(ip.family === 4 && ip.bits === 0xffffffffn);
