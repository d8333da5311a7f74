// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { deepEqual } from "@tiphys/canonical-json";
import { cidrContains, isDnsSubdomain, isPathSegment, isPortName, isPortNumber, parseCidr } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { type FieldError, forbidden, invalid, notSupported, required } from "../field-error.js";
import { checkCanonicalCidr, checkCanonicalIp, checkCidr, cidrWarnings } from "./addresses.js";
import { validateSelector } from "./metadata.js";

const immutable = "field is immutable";
const protocols = ["TCP", "UDP", "SCTP"];

function validatePolicyPort({ protocol, port, endPort }: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (protocol !== undefined && !protocols.includes(protocol)) {
    errors.push(notSupported(`${path}.protocol`, protocol, protocols));
  }
  if (port === undefined) {
    if (endPort !== undefined)
      errors.push(invalid(`${path}.endPort`, endPort, "may not be specified when `port` is not specified"));
    return errors;
  }
  if (typeof port === "number") {
    for (const problem of isPortNumber(port)) errors.push(invalid(`${path}.port`, port, problem));
    if (endPort === undefined) return errors;
    if (endPort < port) errors.push(invalid(`${path}.endPort`, port, "must be greater than or equal to `port`"));
    for (const problem of isPortNumber(endPort)) errors.push(invalid(`${path}.endPort`, endPort, problem));
    return errors;
  }
  if (endPort !== undefined) {
    errors.push(invalid(`${path}.endPort`, endPort, "may not be specified when `port` is non-numeric"));
  }
  for (const problem of isPortName(port)) errors.push(invalid(`${path}.port`, port, problem));
  return errors;
}

function validateBlock({ cidr = "", except = [] }: any, path: string, before: readonly string[]): FieldError[] {
  if (!cidr) return [required(`${path}.cidr`)];
  const errors = checkCidr(`${path}.cidr`, cidr, before);
  const range = parseCidr(cidr);
  if (!range) return errors;
  for (const [at, one] of except.entries()) {
    const here = `${path}.except[${at}]`;
    errors.push(...checkCidr(here, one, before));
    const inner = parseCidr(one);
    if (inner && (!cidrContains(range, inner.address) || range.prefix >= inner.prefix)) {
      errors.push(invalid(here, one, "must be a strict subset of `cidr`"));
    }
  }
  return errors;
}

function validatePeer(peer: any, path: string, before: readonly string[]): FieldError[] {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  if (!podSelector && !namespaceSelector && !ipBlock) return [required(path, "must specify a peer")];
  const errors = [
    ...validateSelector(podSelector, `${path}.podSelector`),
    ...validateSelector(namespaceSelector, `${path}.namespaceSelector`),
    ...(ipBlock ? validateBlock(ipBlock, `${path}.ipBlock`, before) : []),
  ];
  if (ipBlock && (podSelector || namespaceSelector)) {
    errors.push(forbidden(path, "may not specify both ipBlock and another peer"));
  }
  return errors;
}

const directions = [
  ["ingress", "from"],
  ["egress", "to"],
] as const;

const rangesOf = (spec: any): string[] =>
  directions.flatMap(([way, side]) =>
    (spec?.[way] ?? []).flatMap((rule: any) =>
      (rule[side] ?? []).flatMap(({ ipBlock }: any) => (ipBlock ? [ipBlock.cidr, ...(ipBlock.except ?? [])] : [])),
    ),
  );

export function validateNetworkPolicy(object: KubeObject, old?: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const before = old ? rangesOf(old["spec"]) : [];
  const errors = validateSelector(spec.podSelector, "spec.podSelector");
  for (const [way, side] of directions) {
    for (const [at, rule] of (spec[way] ?? []).entries()) {
      const path = `spec.${way}[${at}]`;
      for (const [index, port] of (rule.ports ?? []).entries()) {
        errors.push(...validatePolicyPort(port, `${path}.ports[${index}]`));
      }
      for (const [index, peer] of (rule[side] ?? []).entries()) {
        errors.push(...validatePeer(peer, `${path}.${side}[${index}]`, before));
      }
    }
  }
  const types: string[] = spec.policyTypes ?? [];
  if (types.length > 2) {
    return [...errors, invalid("spec.policyTypes", types, "may not specify more than two policyTypes")];
  }
  for (const [at, type] of types.entries()) {
    if (type !== "Ingress" && type !== "Egress") {
      errors.push(notSupported(`spec.policyTypes[${at}]`, type, ["Ingress", "Egress"]));
    }
  }
  return errors;
}

export const networkPolicyWarnings = ({ spec }: KubeObject): string[] =>
  directions.flatMap(([way, side]) =>
    ((spec?.[way] ?? []) as any[]).flatMap((rule, at) =>
      ((rule[side] ?? []) as any[]).flatMap(({ ipBlock }, index) => {
        const path = `spec.${way}[${at}].${side}[${index}].ipBlock`;
        if (!ipBlock) return [];
        const except = ((ipBlock.except ?? []) as string[]).flatMap((range, n) =>
          cidrWarnings(`${path}.except[${n}]`, range),
        );
        return [...cidrWarnings(`${path}.cidr`, ipBlock.cidr ?? ""), ...except];
      }),
    ),
  );

function validateRanges(ranges: readonly string[], shown: unknown): FieldError[] {
  const path = "spec.cidrs";
  if (ranges.length === 0) return [required(path, "at least one CIDR required")];
  if (ranges.length > 2) return [invalid(path, shown, "may only hold up to 2 values")];
  const errors = ranges.flatMap((range, at) => checkCanonicalCidr(`${path}[${at}]`, range));
  const families = ranges.map((range) => parseCidr(range)?.address.family);
  if (families.length === 2 && families[0] !== undefined && families[0] === families[1]) {
    const problem = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
    errors.push(invalid(path, ranges, problem));
  }
  return errors;
}

export function validateServiceCidr(object: KubeObject, old?: KubeObject): FieldError[] {
  const ranges: string[] = object["spec"]?.cidrs ?? [];
  const before: string[] | undefined = old?.["spec"]?.cidrs;
  if (!before) return validateRanges(ranges, { CIDRs: ranges });
  if (before.length === ranges.length || (before.length === 1 && ranges.length === 2)) {
    const changed = before.flatMap((range, at) =>
      ranges[at] === range ? [] : [invalid(`spec.cidrs[${at}]`, ranges[at], immutable)],
    );
    return before.length === ranges.length ? changed : [...changed, ...validateRanges(ranges, { CIDRs: ranges })];
  }
  return [invalid("spec.cidrs", ranges, immutable)];
}

/** Names of IPAddresses are addresses in their canonical form. */
export const isAddress = (name: string): string[] =>
  checkCanonicalIp("", name).map(({ message }) => message.replace(/^Invalid value: "[^"]*": /, ""));

export function validateIpAddress(object: KubeObject, old?: KubeObject): FieldError[] {
  const parent = object["spec"]?.parentRef;
  if (old) {
    return deepEqual(parent, old["spec"]?.parentRef) ? [] : [invalid("spec.parentRef", shownParent(parent), immutable)];
  }
  if (!parent) return [required("spec.parentRef")];
  const path = "spec.parentRef";
  const errors: FieldError[] = [];
  for (const problem of parent.group ? isDnsSubdomain(parent.group) : []) {
    errors.push(invalid(`${path}.group`, parent.group, problem));
  }
  for (const field of ["resource", "name", "namespace"] as const) {
    const text = parent[field];
    if (!text && field !== "namespace") errors.push(required(`${path}.${field}`));
    for (const problem of text ? isPathSegment(text) : []) errors.push(invalid(`${path}.${field}`, text, problem));
  }
  return errors;
}

const shownParent = (parent: any) =>
  parent
    ? {
        Group: parent.group ?? "",
        Resource: parent.resource ?? "",
        Namespace: parent.namespace ?? "",
        Name: parent.name ?? "",
      }
    : null;
