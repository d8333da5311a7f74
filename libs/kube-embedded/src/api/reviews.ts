import { canonicalJson } from "@tiphys/canonical-json";
import type { Principal } from "@tiphys/identity";
import type { Attributes } from "@tiphys/kube-access";
import { updateManagedFields } from "@tiphys/kube-patch";
import type { FieldError } from "@tiphys/kube-schema";
import type { KubeObject } from "@tiphys/resources";
import type { Authenticate } from "../access/tokens.js";
import type { ServedKind } from "./kinds.js";
import { timestamp } from "./names.js";
import type { Parts, WriteContext } from "./parts.js";
import { badRequest, fieldError, invalid } from "./status.js";
import { setManagedFields } from "./writes.js";

const userInfo = ({ username, groups, uid, extra }: Principal) => ({
  username,
  ...(uid ? { uid } : {}),
  groups: [...groups],
  ...(extra && Object.keys(extra).length > 0 ? { extra } : {}),
});

/** Kinds that are questions: created, answered, never stored. Undefined when the kind is no question. */
export function review(
  parts: Parts & { readonly authenticate: Authenticate },
  kind: ServedKind,
  namespace: string | undefined,
  body: KubeObject,
  context: WriteContext,
): KubeObject | undefined {
  const { principal } = context;
  const now = timestamp(parts.clock.now());
  const asked: KubeObject = {
    ...body,
    metadata: { ...body.metadata, ...(namespace && kind.namespaced ? { namespace } : {}) },
  };
  delete asked["status"];
  setManagedFields(asked, updateManagedFields({ after: asked, manager: context.manager, schema: kind.schema, now }));
  const answer = (status: object): KubeObject => ({ ...asked, status });
  switch (kind.collection) {
    case "authentication.k8s.io/tokenreviews":
      return answer(tokenStatus(body, parts.authenticate));
    case "authentication.k8s.io/selfsubjectreviews":
      return {
        ...body,
        metadata: { creationTimestamp: now } as KubeObject["metadata"],
        status: { userInfo: userInfo(principal) },
      };
    case "authorization.k8s.io/selfsubjectaccessreviews":
      checkQuestion(kind, asked, namespace);
      return answer(decision(parts, principal, attributesOf(body)));
    case "authorization.k8s.io/subjectaccessreviews":
    case "authorization.k8s.io/localsubjectaccessreviews": {
      checkQuestion(kind, asked, namespace);
      const { user = "", groups = [] } = body["spec"] ?? {};
      return answer(decision(parts, { username: user, groups }, attributesOf(body)));
    }
    case "authorization.k8s.io/selfsubjectrulesreviews":
      return { ...body, spec: {}, metadata: {} as KubeObject["metadata"], status: rulesStatus(parts, body, principal) };
    default:
      return undefined;
  }
}

function tokenStatus(body: KubeObject, authenticate: Authenticate): object {
  const { token, audiences } = body["spec"] ?? {};
  if (!token) throw badRequest("token is required for TokenReview in authentication");
  const found = authenticate(token, audiences?.length ? audiences : undefined);
  if (found?.user) return { authenticated: true, user: userInfo(found.user), audiences: found.audiences ?? [] };
  const error = found?.problem ? `[invalid bearer token, ${found.problem}]` : "invalid bearer token";
  return { user: {}, error };
}

function decision(parts: Parts, user: Principal, attributes: Attributes): object {
  const { allowed, reason } = parts.access.decide(user, attributes);
  return { allowed, ...(reason ? { reason } : {}) };
}

function attributesOf(body: KubeObject): Attributes {
  const { resourceAttributes: resource, nonResourceAttributes: path } = body["spec"] ?? {};
  if (!resource) return { verb: path?.verb ?? "", path: path?.path ?? "" };
  return {
    verb: resource.verb ?? "",
    group: resource.group ?? "",
    resource: resource.resource ?? "",
    subresource: resource.subresource ?? "",
    namespace: resource.namespace ?? "",
    name: resource.name ?? "",
  };
}

function checkQuestion(kind: ServedKind, body: KubeObject, namespace: string | undefined): void {
  const { resourceAttributes: resource, nonResourceAttributes: path, user, groups } = body["spec"] ?? {};
  const errors: FieldError[] = [];
  const wrong = (field: string, value: unknown, problem: string) =>
    errors.push(fieldError(field, "FieldValueInvalid", `Invalid value: ${JSON.stringify(value)}: ${problem}`));
  if (resource && path) {
    const shown = { Path: path.path ?? "", Verb: path.verb ?? "" };
    wrong("spec.nonResourceAttributes", shown, "cannot be specified in combination with resourceAttributes");
  }
  if (!resource && !path) {
    wrong(
      "spec.resourceAttributes",
      null,
      "exactly one of nonResourceAttributes or resourceAttributes must be specified",
    );
  }
  const isSelf = kind.collection.endsWith("/selfsubjectaccessreviews");
  if (!isSelf && !user && !groups?.length) wrong("spec.user", "", "at least one of user or group must be specified");
  for (const selector of ["fieldSelector", "labelSelector"]) {
    const given = resource?.[selector];
    if (!given) continue;
    const at = `spec.resourceAttributes.${selector}`;
    const hasRequirements = (given.requirements ?? []).length > 0;
    if (given.rawSelector && hasRequirements) {
      wrong(`${at}.rawSelector`, given.rawSelector, "may not specified at the same time as requirements");
    }
    if (!given.rawSelector && !hasRequirements) {
      const message = `Required value: when ${at} is specified, requirements or rawSelector is required`;
      errors.push(fieldError(`${at}.requirements`, "FieldValueRequired", message));
    }
  }
  const { managedFields: _, namespace: own, ...rest } = body.metadata;
  const isLocal = kind.collection.endsWith("/localsubjectaccessreviews");
  const empty = Object.values(rest).every((value) => value === undefined || value === "") && (isLocal || !own);
  if (!empty)
    wrong("metadata", inOrder(body.metadata), isLocal ? "must be empty except for namespace" : "must be empty");
  if (isLocal && resource && (resource.namespace ?? "") !== (namespace ?? "")) {
    wrong("spec.resourceAttributes.namespace", resource.namespace ?? "", "must match metadata.namespace");
  }
  if (isLocal && path) {
    const shown = { Path: path.path ?? "", Verb: path.verb ?? "" };
    wrong("spec.nonResourceAttributes", shown, "disallowed on this kind of request");
  }
  if (errors.length > 0) throw invalid({ group: kind.group, kind: "" }, "", errors);
}

/** As the API server prints metadata: the fields that are owned in the order of their names. */
const inOrder = (metadata: KubeObject["metadata"]) => ({
  ...metadata,
  managedFields: metadata.managedFields?.map((entry) => ({
    ...entry,
    fieldsV1: JSON.parse(canonicalJson(entry.fieldsV1)),
  })),
});

function rulesStatus(parts: Parts, body: KubeObject, principal: Principal): object {
  const namespace: string = body["spec"]?.namespace ?? "";
  if (!namespace) throw badRequest("no namespace on request");
  const { rules, errors } = parts.access.rulesFor(principal, namespace);
  return {
    resourceRules: rules
      .filter(({ resources }) => resources?.length)
      .map(({ verbs, apiGroups, resources, resourceNames }) => ({
        verbs,
        ...(apiGroups ? { apiGroups } : {}),
        resources,
        ...(resourceNames?.length ? { resourceNames } : {}),
      })),
    nonResourceRules: rules
      .filter(({ nonResourceURLs }) => nonResourceURLs?.length)
      .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: false,
    ...(errors.length > 0 ? { evaluationError: errors.join(", ") } : {}),
  };
}
