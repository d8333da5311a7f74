const isDate = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`));

const isIpv4 = (text: string): boolean => /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(text);

function isIpv6(text: string): boolean {
  const [address = ""] = text.split("%");
  const halves = address.split("::");
  if (halves.length > 2 || !/^[0-9a-fA-F:.]+$/.test(address)) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1);
  const size = groups.length + (last?.includes(".") && isIpv4(last) ? 1 : 0);
  if (!groups.every((group, at) => /^[0-9a-fA-F]{1,4}$/.test(group) || (at === groups.length - 1 && isIpv4(group))))
    return false;
  return halves.length === 2 ? size < 8 : size === 8;
}

function isUri(text: string): boolean {
  return /^[a-zA-Z][a-zA-Z0-9+.-]*:\S*$/.test(text) || /^\/\S*$/.test(text);
}

/** Formats the API server checks; it ignores all others, and so do we. */
const formats: Readonly<Record<string, (text: string) => boolean>> = {
  "date-time": (text) =>
    /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)?$/.test(text) && isDate(text.slice(0, 10)),
  date: isDate,
  duration: (text) =>
    /^-?(?:\d+(?:\.\d+)?\s*(?:ns|us|µs|ms|s|m|h|d|w|second|minute|hour|day|week)s?)+$/.test(text) || text === "0",
  email: (text) => /^[^\s@<>]+@[^\s@<>]+$/.test(text),
  hostname: (text) =>
    text.length <= 255 &&
    /^[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)*$/.test(text),
  ipv4: isIpv4,
  ipv6: isIpv6,
  cidr: (text) => {
    const [address = "", bits = ""] = text.split("/");
    return (
      /^\d{1,3}$/.test(bits) && ((isIpv4(address) && Number(bits) <= 32) || (isIpv6(address) && Number(bits) <= 128))
    );
  },
  uri: isUri,
  uuid: (text) => /^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$/.test(text),
  mac: (text) => /^[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5}$/.test(text),
  byte: (text) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text),
};

export const hasFormat = (text: string, format: string): boolean => formats[format]?.(text) ?? true;

const known = new Set(
  "bsonobjectid uri email hostname ipv4 ipv6 cidr mac uuid uuid3 uuid4 uuid5 isbn isbn10 isbn13 creditcard ssn hexcolor rgbcolor byte password date duration datetime k8sshortname k8slongname".split(
    " ",
  ),
);

/** Whether a format means anything for a type. */
export function isKnownFormat(format: string, type: string): boolean {
  if (type === "integer") return format === "int32" || format === "int64";
  if (type === "number") return format === "float" || format === "double";
  return (type === "" || type === "string") && known.has(format.replaceAll("-", ""));
}
