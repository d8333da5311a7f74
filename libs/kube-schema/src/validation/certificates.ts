import { deepEqual } from "@tiphys/canonical-json";
import { isDnsLabel, isDnsSubdomain } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { duplicate, type FieldError, forbidden, invalid, notSupported, required, tooLong } from "../field-error.js";

const LEGACY = "kubernetes.io/legacy-unknown";
const SHORTEST_SECONDS = 600;
const usages = [
  "any",
  "cert sign",
  "client auth",
  "code signing",
  "content commitment",
  "crl sign",
  "data encipherment",
  "decipher only",
  "digital signature",
  "email protection",
  "encipher only",
  "ipsec end system",
  "ipsec tunnel",
  "ipsec user",
  "key agreement",
  "key encipherment",
  "microsoft sgc",
  "netscape sgc",
  "ocsp signing",
  "s/mime",
  "server auth",
  "signing",
  "timestamping",
];

interface Condition {
  readonly type: string;
  readonly status: string;
}

const conditionsOf = (object: KubeObject | undefined): readonly Condition[] => object?.["status"]?.conditions ?? [];
const ofType = (object: KubeObject | undefined, type: string) =>
  conditionsOf(object).filter((condition) => condition.type === type);

/** What is wrong with a CertificateSigningRequest beside the request itself, whose signature the API server checks. */
export function validateCertificateRequest(object: KubeObject, old?: KubeObject, subresource?: string): FieldError[] {
  const errors = [...validateSpec(object["spec"] ?? {}, old), ...validateConditions(object, old)];
  const certificate = object["status"]?.certificate;
  if (certificate && certificate !== old?.["status"]?.certificate) {
    const problem = certificateProblem(Buffer.from(certificate, "base64").toString());
    if (problem) errors.push(invalid("status.certificate", "<certificate data>", problem));
  }
  if (!old) return errors;
  for (const type of ["Approved", "Denied", "Failed"]) {
    if (ofType(object, type).length < ofType(old, type).length) {
      errors.push(forbidden("status.conditions", `updates may not remove a condition of type ${JSON.stringify(type)}`));
    }
  }
  if (subresource !== "approval") {
    for (const type of ["Approved", "Denied"]) {
      const [before, after] = [ofType(old, type), ofType(object, type)];
      if (after.length > before.length) {
        errors.push(forbidden("status.conditions", `updates may not add a condition of type ${JSON.stringify(type)}`));
      } else if (after.length === before.length && !deepEqual(before, after)) {
        errors.push(
          forbidden("status.conditions", `updates may not modify a condition of type ${JSON.stringify(type)}`),
        );
      }
    }
  }
  const before = old["status"]?.certificate;
  if ((certificate ?? "") !== (before ?? "")) {
    if (subresource !== "status")
      errors.push(forbidden("status.certificate", "updates may not set certificate content"));
    else if (before)
      errors.push(forbidden("status.certificate", "updates may not modify existing certificate content"));
  }
  return errors;
}

function validateSpec(spec: KubeObject["spec"], old: KubeObject | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const wanted = (spec.usages ?? []) as string[];
  if (wanted.length === 0) errors.push(required("spec.usages"));
  for (const [at, usage] of wanted.entries()) {
    if (!usages.includes(usage)) errors.push(notSupported(`spec.usages[${at}]`, usage, usages));
  }
  for (const [at, usage] of wanted.entries()) {
    if (wanted.indexOf(usage) < at) errors.push(duplicate(`spec.usages[${at}]`, usage));
  }
  if (spec.signerName === LEGACY && old?.["spec"]?.signerName !== LEGACY) {
    errors.push(invalid("spec.signerName", LEGACY, "the legacy signerName is not allowed via this API version"));
  } else errors.push(...validateSignerName(spec.signerName ?? "", "spec.signerName"));
  if (spec.expirationSeconds !== undefined && spec.expirationSeconds < SHORTEST_SECONDS) {
    errors.push(
      invalid(
        "spec.expirationSeconds",
        spec.expirationSeconds,
        "may not specify a duration less than 600 seconds (10 minutes)",
      ),
    );
  }
  return errors;
}

function validateSignerName(name: string, path: string): FieldError[] {
  if (!name) return [required(path)];
  const [domain = "", rest, ...more] = name.split("/");
  if (rest === undefined || more.length > 0) {
    const form = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
    return [invalid(path, name, form)];
  }
  const errors: FieldError[] = [];
  if (domain.length > 253) errors.push(tooLong(path, 253));
  const labels = domain.split(".");
  const check = (segment: string, parts: readonly string[], rule: (text: string) => readonly string[]) => {
    for (const label of parts) {
      const problems = rule(label);
      for (const problem of problems) {
        errors.push(invalid(path, segment, `validating label ${JSON.stringify(label)}: ${problem}`));
      }
      // One bad label says enough.
      if (problems.length > 0) return;
    }
  };
  check(domain, labels, isDnsLabel);
  if (labels.length < 2) {
    errors.push(invalid(path, domain, "should be a domain with at least two segments separated by dots"));
  }
  check(rest, rest.split("."), isDnsSubdomain);
  return errors;
}

function validateConditions(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  const wasBoth = ofType(old, "Approved").length > 0 && ofType(old, "Denied").length > 0;
  for (const [at, { type = "", status = "" }] of conditionsOf(object).entries()) {
    const path = `status.conditions[${at}]`;
    if (type === "") errors.push(required(`${path}.type`));
    const allowed = ["Approved", "Denied", "Failed"].includes(type) ? ["True"] : ["False", "True", "Unknown"];
    if (status === "") errors.push(required(`${path}.status`));
    else if (!allowed.includes(status)) errors.push(notSupported(`${path}.status`, status, allowed));
    const other = type === "Approved" ? "Denied" : type === "Denied" ? "Approved" : undefined;
    if (other && seen.has(other) && !wasBoth) {
      errors.push(invalid("status.conditions", type, "Approved and Denied conditions are mutually exclusive"));
    }
    if (seen.has(type)) errors.push(duplicate(`${path}.type`, type));
    seen.add(type);
  }
  return errors;
}

const PEM = /-----BEGIN ([^-]*)-----\r?\n([\s\S]*?)-----END \1-----/g;

function certificateProblem(text: string): string | undefined {
  let count = 0;
  for (const [, label = "", body = ""] of text.matchAll(PEM)) {
    if (label !== "CERTIFICATE") return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(label)}`;
    if (body.includes(":")) return "no PEM block headers are permitted";
    count++;
  }
  return count === 0 ? "must contain at least one CERTIFICATE PEM block" : undefined;
}
