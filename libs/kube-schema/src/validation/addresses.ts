import {
  formatCidr,
  formatIp,
  type IpAddress,
  isDnsSubdomain,
  isLinkLocalMulticastIp,
  isLinkLocalUnicastIp,
  isLoopbackIp,
  isMappedIpv4,
  isUnspecifiedIp,
  maskIp,
  parseCidr,
  parseIp,
} from "@tiphys/kube-values";
import { type FieldError, invalid, required } from "../field-error.js";

// Fields that hold addresses, ranges and domains. Older fields once took leading zeros, which is why they are told apart here.

/** The address as older servers read it: leading zeros of an IPv4 part count for nothing. */
const sloppy = (text: string): string => text.replace(/(^|[.:/])0+(?=\d)/g, "$1");
export const readIp = (text: string): IpAddress | undefined =>
  parseIp(text) ?? (text.includes(":") ? undefined : parseIp(sloppy(text)));
const readCidr = (text: string) => parseCidr(text) ?? parseCidr(sloppy(text));

export const isIpv6 = (text: string): boolean => readIp(text)?.family === 6;

/** An address in any of its spellings; what was there before is let through. */
export function checkIp(field: string, text: string, before: readonly string[] = []): FieldError[] {
  if (before.includes(text)) return [];
  if (!readIp(text)) {
    return [invalid(field, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")];
  }
  const ip = parseIp(text);
  if (!ip) return [invalid(field, text, "must not have leading 0s")];
  return isMappedIpv4(ip) ? [invalid(field, text, "must not be an IPv4-mapped IPv6 address")] : [];
}

/** An address in its one canonical spelling. */
export function checkCanonicalIp(field: string, text: string): FieldError[] {
  const errors = checkIp(field, text);
  const ip = parseIp(text);
  if (errors.length > 0 || !ip || formatIp(ip) === text) return errors;
  return [invalid(field, text, `must be in canonical form (${JSON.stringify(formatIp(ip))})`)];
}

/** A range in any of its spellings; what was there before is let through. */
export function checkCidr(field: string, text: string, before: readonly string[] = []): FieldError[] {
  if (before.includes(text)) return [];
  if (!readCidr(text)) {
    return [invalid(field, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")];
  }
  const range = parseCidr(text);
  if (!range) return [invalid(field, text, "must not have leading 0s in IP or prefix length")];
  if (isMappedIpv4(range.address)) return [invalid(field, text, "must not have an IPv4-mapped IPv6 address")];
  if (maskIp(range.address, range.prefix).bits !== range.address.bits) {
    return [invalid(field, text, "must not have bits set beyond the prefix length")];
  }
  return [];
}

/** A range in its one canonical spelling. */
export function checkCanonicalCidr(field: string, text: string): FieldError[] {
  const errors = checkCidr(field, text);
  const range = parseCidr(text);
  if (errors.length > 0 || !range || formatCidr(range) === text) return errors;
  return [invalid(field, text, `must be in canonical form (${JSON.stringify(formatCidr(range))})`)];
}

/** An address that traffic can be sent to. */
export function checkEndpointIp(field: string, text: string): FieldError[] {
  const ip = readIp(text);
  if (!ip) return [invalid(field, text, "must be a valid IP address")];
  const errors: FieldError[] = [];
  if (isUnspecifiedIp(ip)) errors.push(invalid(field, text, `may not be unspecified (${text})`));
  if (isLoopbackIp(ip)) errors.push(invalid(field, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)"));
  if (isLinkLocalUnicastIp(ip)) {
    errors.push(invalid(field, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"));
  }
  if (isLinkLocalMulticastIp(ip)) {
    errors.push(invalid(field, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"));
  }
  return errors;
}

/** What the writer is told about an address that is not spelt as it should be. */
export function ipWarnings(field: string, text: string): string[] {
  const read = readIp(text);
  if (!read) return [];
  const ip = parseIp(text);
  if (!ip || isMappedIpv4(ip)) {
    return [
      `${field}: non-standard IP address ${JSON.stringify(text)} is invalid: use ${JSON.stringify(formatIp(read))}`,
    ];
  }
  if (ip.family === 4 || formatIp(ip) === text) return [];
  return [
    `${field}: IPv6 address ${JSON.stringify(text)} should be in RFC 5952 canonical format (${JSON.stringify(formatIp(ip))})`,
  ];
}

/** What the writer is told about an IPv6 range that is not spelt as it should be. */
export function cidrWarnings(field: string, text: string): string[] {
  const range = parseCidr(text);
  if (!range || range.address.family === 4 || formatCidr(range) === text) return [];
  return [
    `${field}: IPv6 CIDR value ${JSON.stringify(text)} should be in RFC 5952 canonical format (${JSON.stringify(formatCidr(range))})`,
  ];
}

/** A name of a host that is none of an address. */
export function checkHostname(field: string, name: string): FieldError[] {
  const errors = isDnsSubdomain(name).map((problem) => invalid(field, name, problem));
  if (readIp(name)) errors.push(invalid(field, name, "must be a DNS name, not an IP address"));
  return errors;
}

/** Addresses that a load balancer tells in a status, as far as Services and Ingresses agree on them. */
export function checkIngressPoint(
  path: string,
  { ip = "", hostname = "" }: { readonly ip?: string; readonly hostname?: string },
  before: readonly string[],
): FieldError[] {
  return [
    ...(ip ? checkIp(`${path}.ip`, ip, before) : []),
    ...(hostname ? checkHostname(`${path}.hostname`, hostname) : []),
  ];
}

const wildcard = /^\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
/** `*.example.com`. */
export function isWildcardDomain(name: string): string[] {
  const problems = name.length > 253 ? ["must be no more than 253 characters"] : [];
  if (!wildcard.test(name)) {
    problems.push(
      "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    );
  }
  return problems;
}

/** `acme.io/foo`: a path below a domain. */
export function checkDomainPath(field: string, text: string): FieldError[] {
  if (!text) return [required(field)];
  const at = text.indexOf("/");
  const host = text.slice(0, at);
  const path = text.slice(at + 1);
  if (at <= 0 || !path) return [invalid(field, text, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  const errors = isDnsSubdomain(host).map((problem) => invalid(field, host, problem));
  if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(path)) {
    const problem = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
    errors.push(invalid(field, path, problem));
  }
  return errors;
}
