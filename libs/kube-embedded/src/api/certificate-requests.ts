import { deepEqual } from "@tiphys/canonical-json";
import type { Principal } from "@tiphys/identity";
import { CLIENT_SIGNER } from "@tiphys/kube-access";
import type { FieldError } from "@tiphys/kube-schema";
import type { KubeObject } from "@tiphys/resources";
import type { Access } from "../access/access.js";
import { fromPem } from "../pki/der.js";
import { parseRequest } from "../pki/x509.js";
import type { ServedKind } from "./kinds.js";
import { fieldError, forbidden } from "./status.js";

export const CERTIFICATE_REQUESTS = "certificates.k8s.io/certificatesigningrequests";
const MASTERS = "system:masters";

export const textOf = (request: KubeObject): string =>
  Buffer.from(String(request["spec"]?.request ?? ""), "base64").toString();

/** Writes into a new request who made it: nobody may ask in another's name. */
export function stampRequester(object: KubeObject, { username, uid, groups, extra }: Principal): void {
  const { username: _u, uid: _i, groups: _g, extra: _e, ...asked } = object["spec"] ?? {};
  object["spec"] = {
    ...asked,
    username,
    ...(uid ? { uid } : {}),
    groups: [...groups],
    ...(extra && Object.keys(extra).length > 0 ? { extra } : {}),
  };
}

interface Condition {
  readonly type: string;
  readonly status: string;
  lastUpdateTime?: string;
  lastTransitionTime?: string;
}

/** What an update of a request may change: nothing, its certificate and conditions, or its approval. */
export function changedRequest(
  object: KubeObject,
  old: KubeObject,
  subresource: string | undefined,
  now: string,
): KubeObject {
  const next: KubeObject = { ...object, metadata: { ...object.metadata }, spec: old["spec"], status: old["status"] };
  if (subresource === undefined) return next;
  const before: readonly Condition[] = old["status"]?.conditions ?? [];
  let conditions = ((object["status"]?.conditions ?? []) as Condition[]).map((condition) => ({ ...condition }));
  if (subresource === "status") conditions = keptApproval(conditions, before);
  for (const condition of conditions) {
    condition.lastUpdateTime ??= now;
    condition.lastTransitionTime ??=
      before.find(({ type, status }) => type === condition.type && status === condition.status)?.lastTransitionTime ??
      now;
  }
  const status: Record<string, unknown> = { ...(subresource === "status" ? object["status"] : old["status"]) };
  delete status["conditions"];
  if (conditions.length > 0) status["conditions"] = conditions;
  next["status"] = status;
  return next;
}

/** An approval that a signer sends along stays as it is, unless one was added or taken away: that is refused later. */
function keptApproval(conditions: Condition[], before: readonly Condition[]): Condition[] {
  let out = conditions;
  for (const type of ["Approved", "Denied"]) {
    const old = before.filter((condition) => condition.type === type);
    if (old.length !== out.filter((condition) => condition.type === type).length) continue;
    let at = 0;
    out = out.map((condition) => (condition.type === type ? { ...(old[at++] as Condition) } : condition));
  }
  return out;
}

/** What is wrong with the request inside: its form, or its signature. */
export function requestErrors(object: KubeObject): FieldError[] {
  const text = textOf(object);
  if (parseRequest(text)) return [];
  const problem = fromPem(text, "CERTIFICATE REQUEST")
    ? "asn1: the request cannot be read, or its signature is not valid"
    : "PEM block type must be CERTIFICATE REQUEST";
  const bytes = JSON.stringify(object["spec"]?.request || null);
  return [fieldError("spec.request", "FieldValueInvalid", `Invalid value: ${bytes}: ${problem}`)];
}

/** Refuses certificates for administrators, and approvals and signatures of those who may not give them. */
export function admitRequest(
  access: Access,
  user: Principal,
  kind: ServedKind,
  object: KubeObject,
  old: KubeObject | undefined,
  subresource: string | undefined,
): void {
  const { name } = object.metadata;
  if (!old) {
    if (object["spec"]?.signerName !== CLIENT_SIGNER) return;
    if (!parseRequest(textOf(object))?.organizations.includes(MASTERS)) return;
    throw forbidden(kind, name, `use of ${CLIENT_SIGNER} signer with ${MASTERS} group is not allowed`);
  }
  const signer: string = old["spec"]?.signerName ?? "";
  if (subresource === "approval" && !mayFor(access, user, "approve", signer)) {
    throw forbidden(kind, name, `user not permitted to approve requests with signerName ${JSON.stringify(signer)}`);
  }
  if (subresource !== "status") return;
  const [was, is] = [old["status"] ?? {}, object["status"] ?? {}];
  if ((was.certificate ?? "") === (is.certificate ?? "") && deepEqual(was.conditions ?? [], is.conditions ?? []))
    return;
  if (!mayFor(access, user, "sign", signer)) {
    throw forbidden(kind, name, `user not permitted to sign requests with signerName ${JSON.stringify(signer)}`);
  }
}

function mayFor(access: Access, user: Principal, verb: string, signer: string): boolean {
  const asked = { verb, group: "certificates.k8s.io", resource: "signers" };
  return (
    access.decide(user, { ...asked, name: signer }).allowed ||
    access.decide(user, { ...asked, name: `${signer.split("/")[0]}/*` }).allowed
  );
}
