// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { deepEqual } from "@tiphys/canonical-json";
import { isDnsLabel, isDnsSubdomain, isLabelValue, isPortNumber, isQualifiedName } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { duplicate, type FieldError, invalid, notSupported, required, tooMany } from "../field-error.js";
import { checkCanonicalIp, checkEndpointIp, checkIp, isIpv6 } from "./addresses.js";
import { validateLabels } from "./metadata.js";
import { protocols } from "./service.js";

const addressTypes = ["FQDN", "IPv4", "IPv6"];
const most = { addresses: 100, ports: 20_000, endpoints: 1000, hints: 8, topology: 16 };
const immutable = "field is immutable";

const eachOf = (field: string, text: string, rule: (text: string) => string[]): FieldError[] =>
  rule(text).map((problem) => invalid(field, text, problem));

function validateDomain(field: string, name: string): FieldError[] {
  if (!name) return [required(field)];
  const plain = name.replace(/\.$/, "");
  const problems = isDnsSubdomain(plain);
  if (problems.length > 0) return [invalid(field, plain, problems.join(","))];
  const labels = plain.split(".");
  if (labels.length < 2) {
    return [invalid(field, plain, "should be a domain with at least two segments separated by dots")];
  }
  for (const label of labels) {
    const wrong = isDnsLabel(label);
    if (wrong.length > 0) return [invalid(field, label, wrong.join(","))];
  }
  return [];
}

function validateAddress(type: string, address: string, path: string, at: number): FieldError[] {
  const field = `${path}[${at}]`;
  if (type === "FQDN") return validateDomain(field, address);
  if (type !== "IPv4" && type !== "IPv6") return [];
  const found = type === "IPv4" ? checkIp(field, address) : checkCanonicalIp(field, address);
  if (found.length > 0) return found;
  const isRight = isIpv6(address) === (type === "IPv6");
  return [
    ...(isRight ? [] : [invalid(path, address, `must be an ${type} address`)]),
    ...checkEndpointIp(field, address),
  ];
}

function validateHints(hints: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [list, rule] of [
    ["forZones", isLabelValue],
    ["forNodes", isDnsSubdomain],
  ] as const) {
    const entries = (hints[list] ?? []) as any[];
    if (entries.length > most.hints) return [...errors, tooMany(`${path}.${list}`, entries.length, most.hints)];
    const names = new Set<string>();
    for (const [at, { name = "" }] of entries.entries()) {
      const here = `${path}.${list}[${at}].name`;
      if (names.has(name)) errors.push(duplicate(here, name));
      names.add(name);
      errors.push(...eachOf(here, name, rule));
    }
  }
  return errors;
}

function validateEndpoint(endpoint: any, type: string, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const addresses: string[] = endpoint.addresses ?? [];
  const list = `${path}.addresses`;
  if (addresses.length === 0) errors.push(required(list, "must contain at least 1 address"));
  else if (addresses.length > most.addresses) errors.push(tooMany(list, addresses.length, most.addresses));
  for (const [at, address] of addresses.entries()) errors.push(...validateAddress(type, address, list, at));
  if (endpoint.nodeName !== undefined) errors.push(...eachOf(`${path}.nodeName`, endpoint.nodeName, isDnsSubdomain));
  const topology = endpoint.deprecatedTopology ?? {};
  const count = Object.keys(topology).length;
  if (count > most.topology) errors.push(tooMany(`${path}.deprecatedTopology`, count, most.topology));
  errors.push(...validateLabels(topology, `${path}.deprecatedTopology`));
  if (endpoint.hostname !== undefined) errors.push(...eachOf(`${path}.hostname`, endpoint.hostname, isDnsLabel));
  if (endpoint.hints) errors.push(...validateHints(endpoint.hints, `${path}.hints`));
  return errors;
}

function validateSlicePorts(ports: any[]): FieldError[] {
  if (ports.length > most.ports) return [tooMany("ports", ports.length, most.ports)];
  const errors: FieldError[] = [];
  const names = new Set<string>();
  for (const [at, { name = "", protocol, appProtocol }] of ports.entries()) {
    const path = `ports[${at}]`;
    if (name) errors.push(...eachOf(`${path}.name`, name, isDnsLabel));
    if (names.has(name)) errors.push(duplicate(`${path}.name`, name));
    names.add(name);
    if (!protocols.includes(protocol)) errors.push(notSupported(`${path}.protocol`, protocol, protocols));
    if (appProtocol !== undefined) errors.push(...eachOf(`${path}.appProtocol`, appProtocol, isQualifiedName));
  }
  return errors;
}

export function validateEndpointSlice(object: KubeObject, old?: KubeObject): FieldError[] {
  const type: string = object["addressType"] ?? "";
  const endpoints: any[] = object["endpoints"] ?? [];
  const ports: any[] = object["ports"] ?? [];
  const errors: FieldError[] = [];
  if (!type) errors.push(required("addressType"));
  else if (!addressTypes.includes(type)) errors.push(notSupported("addressType", type, addressTypes));
  errors.push(...validateSlicePorts(ports));
  // What was let in by older rules may stay.
  if (!old || !deepEqual(old["endpoints"] ?? [], endpoints)) {
    if (endpoints.length > most.endpoints) errors.push(tooMany("endpoints", endpoints.length, most.endpoints));
    else {
      for (const [at, one] of endpoints.entries()) errors.push(...validateEndpoint(one, type, `endpoints[${at}]`));
    }
  }
  if (old !== undefined && old["addressType"] !== type) errors.push(invalid("addressType", type, immutable));
  return errors;
}

function validateSubset(subset: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  if (addresses.length === 0 && notReadyAddresses.length === 0) {
    errors.push(required(path, "must specify `addresses` or `notReadyAddresses`"));
  }
  for (const [list, entries] of Object.entries({ addresses, notReadyAddresses })) {
    for (const [at, { ip = "", hostname = "", nodeName }] of (entries as any[]).entries()) {
      const here = `${path}.${list}[${at}]`;
      errors.push(...checkIp(`${here}.ip`, ip));
      if (hostname) errors.push(...eachOf(`${here}.hostname`, hostname, isDnsLabel));
      if (nodeName !== undefined) errors.push(...eachOf(`${here}.nodeName`, nodeName, isDnsSubdomain));
      errors.push(...checkEndpointIp(`${here}.ip`, ip));
    }
  }
  for (const [at, { name = "", port = 0, protocol, appProtocol }] of ports.entries()) {
    const here = `${path}.ports[${at}]`;
    if (!name) {
      if (ports.length > 1) errors.push(required(`${here}.name`));
    } else errors.push(...eachOf(`${here}.name`, name, isDnsLabel));
    for (const problem of isPortNumber(port)) errors.push(invalid(`${here}.port`, port, problem));
    if (!protocols.includes(protocol)) errors.push(notSupported(`${here}.protocol`, protocol, protocols));
    if (appProtocol !== undefined) errors.push(...eachOf(`${here}.appProtocol`, appProtocol, isQualifiedName));
  }
  return errors;
}

export function validateEndpoints(object: KubeObject, old?: KubeObject): FieldError[] {
  const subsets = (object["subsets"] ?? []) as any[];
  if (old && deepEqual(old["subsets"] ?? [], subsets)) return [];
  return subsets.flatMap((subset, at) => validateSubset(subset, `subsets[${at}]`));
}

export const sliceWarnings = (object: KubeObject, old?: KubeObject): string[] =>
  !old && object["addressType"] === "FQDN" ? ["spec.addressType: FQDN endpoints are deprecated"] : [];
