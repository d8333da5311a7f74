// What names, labels and keys may look like, in the words of the API server.

const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const dns1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const qualifiedPart = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const configKey = /^[-._a-zA-Z0-9]+$/;
const envName = /^[ -<>-~]+$/;

const keyText = (noun: string): string =>
  `a ${noun} must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`;
const longest = (size: number, unit = "bytes"): string => `must be no more than ${size} ${unit}`;
const subdomainText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const labelText =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const label1035Text =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const qualifiedText =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const labelValueText =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/** Problems of a name; none when it is fine. */
export type NameRule = (name: string) => string[];

const rule =
  (pattern: RegExp, size: number, text: string, unit = "characters"): NameRule =>
  (name) => [...(name.length > size ? [longest(size, unit)] : []), ...(pattern.test(name) ? [] : [text])];

export const isDnsSubdomain = rule(dnsSubdomain, 253, subdomainText);
export const isDns1035Label = rule(dns1035, 63, label1035Text);
const plainLabel = rule(dnsLabel, 63, labelText);
export const isDnsLabel: NameRule = (name) =>
  plainLabel(name).map((problem) =>
    problem === labelText && dnsSubdomain.test(name) ? "must not contain dots" : problem,
  );

/** Names that are one part of a path: RBAC objects. */
export const isPathSegment: NameRule = (name) => {
  if (name === "." || name === "..") return [`may not be '${name}'`];
  return ["/", "%"].filter((sign) => name.includes(sign)).map((sign) => `may not contain '${sign}'`);
};

export const isLabelValue: NameRule = rule(labelValue, 63, labelValueText, "bytes");

/** `example.com/name` or `name`: label keys, annotation keys, finalizers. */
export const isQualifiedName: NameRule = (text) => {
  const parts = text.split("/");
  if (parts.length > 2) {
    return [keyText("valid label key")];
  }
  const problems: string[] = [];
  const name = parts.at(-1)!;
  if (parts.length === 2) {
    if (parts[0] === "") problems.push("prefix part must be non-empty");
    else
      problems.push(
        ...isDnsSubdomain(parts[0]!).map((text) => `prefix part ${text.replace("253 characters", "253 bytes")}`),
      );
  }
  if (name === "") problems.push("name part must be non-empty");
  else if (name.length > 63) problems.push(`name part ${longest(63)}`);
  if (!qualifiedPart.test(name)) problems.push(qualifiedText);
  return problems;
};

/** Keys of ConfigMaps and Secrets. */
export const isConfigKey: NameRule = (key) => {
  const problems = key.length > 253 ? [longest(253, "characters")] : [];
  if (!configKey.test(key)) {
    problems.push(
      "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    );
  }
  if (key === ".") problems.push("must not be '.'");
  if (key === "..") problems.push("must not be '..'");
  else if (key.startsWith("..")) problems.push("must not start with '..'");
  return problems;
};

export const isEnvName: NameRule = (name) =>
  envName.test(name)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];

export const isPortNumber = (port: unknown): string[] =>
  typeof port === "number" && port >= 1 && port <= 65535 ? [] : ["must be between 1 and 65535, inclusive"];

/** Names of container and service ports. */
export const isPortName: NameRule = (name) => {
  const problems: string[] = [];
  if (name.length > 15) problems.push("must be no more than 15 characters");
  if (!/^[-a-z0-9]+$/.test(name))
    problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!/[a-z]/.test(name)) problems.push("must contain at least one letter (a-z)");
  if (name.includes("--")) problems.push("must not contain consecutive hyphens");
  if (name.startsWith("-") || name.endsWith("-")) problems.push("must not begin or end with a hyphen");
  return problems;
};
