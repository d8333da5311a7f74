import { ISSUER, nodeNameOf, nodeTokenProblem } from "@tiphys/kube-access";
import { updateManagedFields } from "@tiphys/kube-patch";
import { decode, definition } from "@tiphys/kube-schema";
import type { KubeObject } from "@tiphys/resources";
import type { Tokens } from "../access/tokens.js";
import { identified, strictness } from "./body.js";
import { timestamp } from "./names.js";
import type { Parts, Target, WriteContext } from "./parts.js";
import * as status from "./status.js";
import { setManagedFields } from "./writes.js";

const KIND = { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest", resource: "TokenRequest" };
const API_VERSION = "authentication.k8s.io/v1";
const DEFAULT_SECONDS = 3600;
const SHORTEST_SECONDS = 600;
const LONGEST_SECONDS = 2 ** 32;

/** POST serviceaccounts/token: a signed token for the account, perhaps bound to a pod, a Secret or a node. */
export function requestToken(
  parts: Parts & { readonly tokens: Tokens },
  target: Target,
  body: unknown,
  context: WriteContext,
): KubeObject {
  const { store, clock, tokens } = parts;
  const { kind, name, namespace = "" } = target;
  const schema = definition("io.k8s.api.authentication.v1.TokenRequest");
  const { object, unknown, error } = decode(identified(KIND, body), schema);
  if (error !== undefined) throw status.badRequest(error);
  strictness(unknown, context, (message) =>
    status.badRequest(`TokenRequest in version "v1" cannot be handled as a TokenRequest: ${message}`),
  );
  if (object.metadata.namespace && object.metadata.namespace !== namespace) {
    throw status.badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  if (object.metadata.name && object.metadata.name !== name) {
    throw status.invalid(KIND, name, [
      wrong("metadata.name", object.metadata.name, "must match the service account name if specified"),
    ]);
  }
  const account = store.get(kind.collection, namespace, name);
  if (!account) throw status.notFound(kind, name);
  const { uid = "" } = account.metadata;
  if (object.metadata.uid && object.metadata.uid !== uid) {
    const problem = `the UID in the token request (${object.metadata.uid}) does not match the UID of the service account (${uid})`;
    throw status.conflict(KIND, name, problem);
  }
  const spec = object["spec"] ?? {};
  // An absent one has a default; the decoded form has a zero for it.
  const asked = (body as { spec?: { expirationSeconds?: number | null } } | undefined)?.spec?.expirationSeconds;
  const seconds: number = asked ?? DEFAULT_SECONDS;
  const audiences: string[] = spec.audiences?.length ? spec.audiences : [ISSUER];
  if (seconds < SHORTEST_SECONDS || seconds > LONGEST_SECONDS) {
    const problem = seconds < SHORTEST_SECONDS ? "less than 10 minutes" : "larger than 2^32 seconds";
    throw status.invalid(KIND, "", [wrong("spec.expirationSeconds", seconds, `may not specify a duration ${problem}`)]);
  }
  const node = nodeNameOf(context.principal);
  if (node !== undefined) {
    const pod = store.get("/pods", namespace, spec.boundObjectRef?.name ?? "");
    const problem = nodeTokenProblem(node, spec.boundObjectRef, spec.audiences ?? [], pod);
    if (problem) throw status.forbidden(kind, name, problem);
  }
  const bound = boundTo(parts, name, namespace, spec.boundObjectRef);
  const now = clock.now();
  const answer: KubeObject = {
    kind: KIND.kind,
    apiVersion: API_VERSION,
    metadata: { ...object.metadata, name, namespace, uid, creationTimestamp: timestamp(now) },
    spec: { audiences, expirationSeconds: seconds, boundObjectRef: spec.boundObjectRef ?? null },
  };
  const written = { ...answer, spec: { ...spec, expirationSeconds: seconds } };
  setManagedFields(
    answer,
    ownedByWriter({
      after: written,
      manager: context.manager,
      schema,
      now: timestamp(now),
      subresource: "token",
    }),
  );
  const subject = { namespace, account: { name, uid }, ...bound };
  answer["status"] = {
    token: tokens.issue(subject, audiences, seconds),
    expirationTimestamp: timestamp(new Date(now.getTime() + seconds * 1000)),
  };
  return answer;
}

/** The member of the reference itself is always there, though it may be null: nobody owns it. */
function ownedByWriter(write: Parameters<typeof updateManagedFields>[0]) {
  return updateManagedFields(write)?.map((entry) => {
    const spec = { ...(entry.fieldsV1 as Record<string, Record<string, object>>)["f:spec"] };
    if (spec["f:boundObjectRef"]) {
      const { ".": _, ...members } = spec["f:boundObjectRef"] as Record<string, object>;
      spec["f:boundObjectRef"] = members;
    }
    return { ...entry, fieldsV1: { ...entry.fieldsV1, "f:spec": spec } };
  });
}

const wrong = (field: string, value: unknown, problem: string) =>
  status.fieldError(field, "FieldValueInvalid", `Invalid value: ${JSON.stringify(value)}: ${problem}`);

interface Reference {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly uid?: string;
}

function boundTo({ store }: Parts, account: string, namespace: string, reference: Reference | undefined) {
  if (!reference) return {};
  const { apiVersion = "", kind = "", name = "", uid } = reference;
  const resource =
    apiVersion === "v1" || apiVersion === "" ? { Pod: "pods", Node: "nodes", Secret: "secrets" }[kind] : undefined;
  if (!resource) {
    throw status.badRequest(
      `cannot bind token to object of type ${apiVersion.includes("/") ? apiVersion : `/${apiVersion}`}, Kind=${kind}`,
    );
  }
  const found = store.get(`/${resource}`, kind === "Node" ? undefined : namespace, name);
  if (!found) throw status.notFound({ group: "", resource, kind }, name);
  if (kind === "Pod" && found["spec"]?.serviceAccountName !== account) {
    throw status.badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
    );
  }
  if (uid && uid !== found.metadata.uid) {
    throw status.conflict(
      { group: "", resource: kind, kind },
      name,
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  const named = { name, uid: found.metadata.uid ?? "" };
  if (kind === "Node") return { node: named };
  if (kind === "Secret") return { secret: named };
  const nodeName: string | undefined = found["spec"]?.nodeName;
  const node = nodeName ? store.get("/nodes", undefined, nodeName) : undefined;
  const on = nodeName ? { node: { name: nodeName, ...(node?.metadata.uid ? { uid: node.metadata.uid } : {}) } } : {};
  return { pod: named, ...on };
}
