import {
  canonicalQuantity,
  cidrContains,
  compareQuantities,
  formatIp,
  type IpAddress,
  isDns1035Label,
  isDnsLabel,
  isDnsSubdomain,
  isGlobalUnicastIp,
  isLabelValue,
  isLinkLocalMulticastIp,
  isLinkLocalUnicastIp,
  isLoopbackIp,
  isMappedIpv4,
  isQualifiedName,
  isUnspecifiedIp,
  maskIp,
  type NameRule,
  parseCidr,
  parseIp,
  parseQuantity,
} from "@tiphys/kube-values";
import { fail } from "../errors.js";
import {
  CidrValue,
  compareSemver,
  FormatValue,
  IpValue,
  type NamedFormat,
  Optional,
  QuantityValue,
  type Semver,
  SemverValue,
  UrlValue,
  type Value,
  ValueList,
  ValueMap,
} from "../values.js";
import { type Implementation, int, noOverload } from "./standard.js";
import { parseDateTime } from "./time.js";

const ofText =
  (fn: string, use: (text: string) => Value): Implementation =>
  (text) =>
    typeof text === "string" ? use(text) : noOverload(fn, text);

// --- addresses

function readIp(text: string): IpAddress | string {
  const ip = parseIp(text);
  const quoted = JSON.stringify(text);
  if (ip === undefined) {
    if (text.includes("%") && parseIp(text.slice(0, text.indexOf("%"))))
      return `IP address ${quoted} with zone value is not allowed`;
    return `IP Address ${quoted} parse error during conversion from string: ParseAddr(${quoted}): unable to parse IP`;
  }
  return isMappedIpv4(ip) ? `IPv4-mapped IPv6 address ${quoted} is not allowed` : ip;
}

function readCidr(text: string): CidrValue | string {
  const cidr = parseCidr(text);
  const quoted = JSON.stringify(text);
  if (cidr === undefined) {
    const why = text.includes("/") ? "unable to parse IP" : "no '/'";
    return `network address parse error during conversion from string: network address parse error during conversion from string: netip.ParsePrefix(${quoted}): ${why}`;
  }
  if (isMappedIpv4(cidr.address)) return `IPv4-mapped IPv6 address ${quoted} is not allowed`;
  return new CidrValue(cidr);
}

const ipTest =
  (fn: string, test: (ip: IpAddress) => boolean): Implementation =>
  (ip) =>
    ip instanceof IpValue ? test(ip.ip) : noOverload(fn, ip);

const ofCidr =
  (fn: string, use: (cidr: CidrValue, other: Value) => Value): Implementation =>
  (cidr, other = null) =>
    cidr instanceof CidrValue ? use(cidr, other) : noOverload(fn, cidr);

const addresses: Readonly<Record<string, Implementation>> = {
  ip: (value) => {
    if (value instanceof CidrValue) return new IpValue(value.cidr.address);
    if (typeof value !== "string") return noOverload("ip", value);
    const ip = readIp(value);
    return typeof ip === "string" ? fail(ip) : new IpValue(ip);
  },
  isIP: ofText("isIP", (text) => typeof readIp(text) !== "string"),
  "ip.isCanonical": ofText("ip.isCanonical", (text) => {
    const ip = readIp(text);
    return typeof ip === "string" ? fail(ip) : formatIp(ip) === text;
  }),
  family: (ip) => (ip instanceof IpValue ? BigInt(ip.ip.family) : noOverload("family", ip)),
  isUnspecified: ipTest("isUnspecified", isUnspecifiedIp),
  isLoopback: ipTest("isLoopback", isLoopbackIp),
  isLinkLocalMulticast: ipTest("isLinkLocalMulticast", isLinkLocalMulticastIp),
  isLinkLocalUnicast: ipTest("isLinkLocalUnicast", isLinkLocalUnicastIp),
  isGlobalUnicast: ipTest("isGlobalUnicast", isGlobalUnicastIp),
  cidr: ofText("cidr", (text) => {
    const cidr = readCidr(text);
    return typeof cidr === "string" ? fail(cidr) : cidr;
  }),
  isCIDR: ofText("isCIDR", (text) => typeof readCidr(text) !== "string"),
  prefixLength: ofCidr("prefixLength", ({ cidr }) => BigInt(cidr.prefix)),
  masked: ofCidr(
    "masked",
    ({ cidr }) => new CidrValue({ address: maskIp(cidr.address, cidr.prefix), prefix: cidr.prefix }),
  ),
  containsIP: ofCidr("containsIP", ({ cidr }, other) => {
    if (other instanceof IpValue) return cidrContains(cidr, other.ip);
    if (typeof other !== "string") return noOverload("containsIP", other);
    const ip = readIp(other);
    return typeof ip === "string" ? fail(ip) : cidrContains(cidr, ip);
  }),
  containsCIDR: ofCidr("containsCIDR", ({ cidr }, other) => {
    const inner = typeof other === "string" ? readCidr(other) : other;
    if (typeof inner === "string") return fail(inner);
    if (!(inner instanceof CidrValue)) return noOverload("containsCIDR", other);
    return cidr.prefix <= inner.cidr.prefix && cidrContains(cidr, inner.cidr.address);
  }),
};

// --- quantities

const nano = 1_000_000_000n;
const quantityError = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

const ofQuantity =
  (fn: string, use: (nanos: bigint, value: QuantityValue) => Value): Implementation =>
  (value) =>
    value instanceof QuantityValue ? use(value.quantity.nanos, value) : noOverload(fn, value);

const arithmetic =
  (fn: string, sign: bigint): Implementation =>
  (a, b) => {
    if (!(a instanceof QuantityValue)) return noOverload(fn, a, b);
    const other = b instanceof QuantityValue ? b.quantity.nanos : typeof b === "bigint" ? b * nano : undefined;
    if (other === undefined) return noOverload(fn, a, b);
    return new QuantityValue({ nanos: a.quantity.nanos + sign * other, form: a.quantity.form });
  };

/** Order of two quantities or two versions. */
function orderOf(fn: string, a: Value, b: Value): number {
  if (a instanceof QuantityValue && b instanceof QuantityValue) return compareQuantities(a.quantity, b.quantity);
  if (a instanceof SemverValue && b instanceof SemverValue) return compareSemver(a.semver, b.semver);
  return noOverload(fn, a, b);
}

const quantities: Readonly<Record<string, Implementation>> = {
  quantity: ofText("quantity", (text) => {
    const quantity = parseQuantity(text);
    return quantity === undefined ? fail(quantityError) : new QuantityValue(quantity);
  }),
  isQuantity: ofText("isQuantity", (text) => canonicalQuantity(text) !== undefined),
  sign: ofQuantity("sign", (nanos) => (nanos > 0n ? 1n : nanos < 0n ? -1n : 0n)),
  asInteger: ofQuantity("asInteger", (nanos) =>
    nanos % nano === 0n ? int(nanos / nano) : fail("cannot convert value to integer"),
  ),
  isInteger: ofQuantity("isInteger", (nanos) => nanos % nano === 0n && nanos / nano <= 0x7fffffffffffffffn),
  asApproximateFloat: ofQuantity("asApproximateFloat", (nanos) => Number(nanos) / 1e9),
  add: arithmetic("add", 1n),
  sub: arithmetic("sub", -1n),
  isGreaterThan: (a, b) => orderOf("isGreaterThan", a, b) > 0,
  isLessThan: (a, b) => orderOf("isLessThan", a, b) < 0,
  compareTo: (a, b) => BigInt(orderOf("compareTo", a, b)),
};

// --- versions

const version =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$/;

/** `v1.2` → `1.2.0`, `01.2.3` → `1.2.3`. */
function normalised(text: string): string {
  const [, core = "", rest = ""] = /^v?([\d.]*)(.*)$/s.exec(text)!;
  const parts = core.split(".").map((part) => part.replace(/^0+(?=\d)/, ""));
  while (parts.length < 3 && parts.every((part) => part !== "")) parts.push("0");
  return parts.join(".") + rest;
}

function readSemver(text: string, normalise: boolean): Semver | undefined {
  const match = version.exec(normalise ? normalised(text) : text);
  if (match === null) return undefined;
  const [, major = "0", minor = "0", patch = "0", pre, build] = match;
  return {
    major: BigInt(major),
    minor: BigInt(minor),
    patch: BigInt(patch),
    pre: pre?.split(".") ?? [],
    build: build?.split(".") ?? [],
  };
}

const versionPart =
  (part: "major" | "minor" | "patch"): Implementation =>
  (value) =>
    value instanceof SemverValue ? value.semver[part] : noOverload(part, value);

const versions: Readonly<Record<string, Implementation>> = {
  semver: (text, normalise) => {
    if (typeof text !== "string") return noOverload("semver", text);
    const parsed = readSemver(text, normalise === true);
    if (parsed !== undefined) return new SemverValue(parsed);
    if (text === "") return fail("Version string empty");
    return fail(
      /^\d+\.\d+\.\d+/.test(text)
        ? `Invalid character(s) found in version ${JSON.stringify(text)}`
        : "No Major.Minor.Patch elements found",
    );
  },
  isSemver: (text, normalise) =>
    typeof text === "string" ? readSemver(text, normalise === true) !== undefined : noOverload("isSemver", text),
  major: versionPart("major"),
  minor: versionPart("minor"),
  patch: versionPart("patch"),
};

// --- URLs

function readUrl(text: string): UrlValue | string {
  const wrong = (why: string) => `URL parse error during conversion from string: parse ${JSON.stringify(text)}: ${why}`;
  if (text === "") return wrong("empty url");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what Go's parser refuses
  if (/[\x00-\x1f\x7f]/.test(text)) return wrong("net/url: invalid control character in URL");
  const match = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(.*)$/s.exec(text)!;
  const scheme = (match[1] ?? "").toLowerCase();
  let rest = match[2]!;
  if (/^:/.test(text)) return wrong("missing protocol scheme");
  const at = rest.indexOf("?");
  const query = at < 0 ? "" : rest.slice(at + 1);
  if (at >= 0) rest = rest.slice(0, at);
  if (!rest.startsWith("/")) {
    if (scheme === "") return wrong("invalid URI for request");
    return new UrlValue(text, { scheme, host: "", hostname: "", port: "", path: "", query });
  }
  let host = "";
  if (rest.startsWith("//") && (scheme !== "" || !rest.startsWith("///"))) {
    if (scheme === "") return new UrlValue(text, { scheme, host: "", hostname: "", port: "", path: rest, query });
    const end = rest.indexOf("/", 2);
    const authority = end < 0 ? rest.slice(2) : rest.slice(2, end);
    rest = end < 0 ? "" : rest.slice(end);
    host = authority.slice(authority.lastIndexOf("@") + 1);
    const port = /:([^:\]]*)$/.exec(host.startsWith("[") ? host.slice(host.indexOf("]")) : host)?.[1];
    if (port !== undefined && !/^\d*$/.test(port)) return wrong(`invalid port ":${port}" after host`);
    if (/[ <>"\\^`{|}]/.test(host))
      return wrong(`invalid character ${JSON.stringify(/[ <>"\\^`{|}]/.exec(host)![0])} in host name`);
  }
  const bad = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(rest);
  if (bad) return wrong(`invalid URL escape ${JSON.stringify(bad[0])}`);
  const bracket = /^\[(.*)\](?::(\d*))?$/.exec(host);
  const plain = /^([^:]*)(?::(\d*))?$/.exec(host);
  const hostname = bracket?.[1] ?? plain?.[1] ?? host;
  const port = bracket?.[2] ?? plain?.[2] ?? "";
  const path = rest.replace(/[^A-Za-z0-9\-_.~!$&'()*+,;=:@/%[\]]/gu, (sign) => encodeURIComponent(sign));
  return new UrlValue(text, { scheme, host, hostname, port, path, query });
}

const urlPart =
  (fn: string, part: keyof UrlValue["parts"]): Implementation =>
  (url) =>
    url instanceof UrlValue ? url.parts[part] : noOverload(fn, url);

function queryOf(url: Value): Value {
  if (!(url instanceof UrlValue)) return noOverload("getQuery", url);
  const found = new Map<string, string[]>();
  for (const [key, value] of new URLSearchParams(url.parts.query)) {
    const list = found.get(key);
    if (list) list.push(value);
    else found.set(key, [value]);
  }
  const map = new ValueMap();
  for (const [key, values] of found) map.set(key, new ValueList(values));
  return map;
}

const urls: Readonly<Record<string, Implementation>> = {
  url: ofText("url", (text) => {
    const url = readUrl(text);
    return typeof url === "string" ? fail(url) : url;
  }),
  isURL: ofText("isURL", (text) => typeof readUrl(text) !== "string"),
  getScheme: urlPart("getScheme", "scheme"),
  getHost: urlPart("getHost", "host"),
  getHostname: urlPart("getHostname", "hostname"),
  getPort: urlPart("getPort", "port"),
  getEscapedPath: urlPart("getEscapedPath", "path"),
  getQuery: queryOf,
};

// --- formats

const asPrefix =
  (rule: NameRule): NameRule =>
  (name) =>
    // A prefix may end in a dash: something is appended to it.
    rule(name.endsWith("-") ? `${name.slice(0, -1)}a` : name);
const test =
  (ok: (text: string) => boolean, problem: string): NameRule =>
  (text) =>
    ok(text) ? [] : [problem];
const isDate = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && parseDateTime(`${text}T00:00:00Z`) !== undefined;

const formatTable: Readonly<Record<string, readonly [string, number, NameRule]>> = {
  dns1123Label: ["DNS1123Label", 30, isDnsLabel],
  dns1123Subdomain: ["DNS1123Subdomain", 60, isDnsSubdomain],
  dns1035Label: ["DNS1035Label", 30, isDns1035Label],
  qualifiedName: ["QualifiedName", 60, isQualifiedName],
  dns1123LabelPrefix: ["DNS1123LabelPrefix", 30, asPrefix(isDnsLabel)],
  dns1123SubdomainPrefix: ["DNS1123SubdomainPrefix", 60, asPrefix(isDnsSubdomain)],
  dns1035LabelPrefix: ["DNS1035LabelPrefix", 30, asPrefix(isDns1035Label)],
  labelValue: ["LabelValue", 40, isLabelValue],
  uri: [
    "URI",
    1000,
    (text) => {
      const url = readUrl(text);
      return typeof url === "string" ? [url.replace(/^URL parse error during conversion from string: /, "")] : [];
    },
  ],
  uuid: [
    "uuid",
    80,
    test(
      (text) => /^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$/.test(text),
      "does not match the UUID format",
    ),
  ],
  byte: [
    "byte",
    100,
    test(
      (text) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) && text !== "",
      "invalid base64",
    ),
  ],
  date: ["date", 100, test(isDate, "invalid date")],
  datetime: [
    "datetime",
    100,
    test(
      (text) =>
        /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)?$/.test(text) &&
        isDate(text.slice(0, 10)),
      "invalid datetime",
    ),
  ],
};

const formats = new Map<string, FormatValue>(
  Object.entries(formatTable).map(([key, [name, regexSize, problems]]) => {
    const format: NamedFormat = { name, regexSize, problems };
    return [key, new FormatValue(format)];
  }),
);

function validate(format: Value, text: Value): Value {
  if (!(format instanceof FormatValue) || typeof text !== "string") return noOverload("validate", format, text);
  const problems = format.format.problems(text);
  return problems.length === 0 ? Optional.none : new Optional(new ValueList(problems));
}

export const kubernetes: Readonly<Record<string, Implementation>> = {
  ...addresses,
  ...quantities,
  ...versions,
  ...urls,
  validate,
  "format.named": ofText("format.named", (name) => {
    const found = formats.get(name);
    return found === undefined ? Optional.none : new Optional(found);
  }),
  ...Object.fromEntries([...formats].map(([name, format]) => [`format.${name}`, () => format])),
};
