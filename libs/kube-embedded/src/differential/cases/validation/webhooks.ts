import type { Group } from "../../play.js";
import { fieldsOf, type Members } from "./tried.js";

const rule: Members = {
  apiGroups: [""],
  apiVersions: ["v1"],
  operations: ["CREATE"],
  resources: ["pods"],
};
const hook: Members = {
  name: "a.example.com",
  admissionReviewVersions: ["v1"],
  sideEffects: "None",
  clientConfig: { url: "https://localhost:9/x" },
  rules: [rule],
};
const hooks = (...changes: Members[]): Members => ({
  webhooks: changes.map((change) => {
    const out: Record<string, unknown> = { ...hook, ...change };
    for (const [key, value] of Object.entries(out)) if (value === null) delete out[key];
    return out;
  }),
});
const rules = (change: Members): Members => hooks({ rules: [{ ...rule, ...change }] });
const client = (clientConfig: Members): Members => hooks({ clientConfig });
const service = (change: Members): Members => client({ service: { name: "s", namespace: "n", ...change } });

const cases: Readonly<Record<string, Members>> = {
  good: hooks({}),
  "no hooks": {},
  "a hook of nothing": { webhooks: [{}] },
  "a hook with a name alone": { webhooks: [{ name: "a.example.com" }] },
  "two hooks of one name": hooks({}, {}),
  "a short name": hooks({ name: "a.b" }),
  "a bad name": hooks({ name: "A.$(x).c" }),
  "no side effects told": hooks({ sideEffects: null }),
  "some side effects": hooks({ sideEffects: "Some" }),
  "other side effects": hooks({ sideEffects: "Many" }),
  "no versions": hooks({ admissionReviewVersions: [] }),
  "unknown versions": hooks({ admissionReviewVersions: ["v2"] }),
  "versions twice": hooks({ admissionReviewVersions: ["v1", "v1"] }),
  "an old version": hooks({ admissionReviewVersions: ["v1beta1"] }),
  "a long wait": hooks({ timeoutSeconds: 31 }),
  "no wait": hooks({ timeoutSeconds: 0 }),
  "unknown policies": hooks({ failurePolicy: "Maybe", matchPolicy: "Near" }),
  "bad selectors": hooks({
    namespaceSelector: { matchLabels: { "a b": "c" } },
    objectSelector: { matchExpressions: [{ key: "a", operator: "In" }] },
  }),
  "a rule of nothing": hooks({ rules: [{}] }),
  "no rules": hooks({ rules: null }),
  "all operations and one": rules({ operations: ["*", "CREATE"] }),
  "an unknown operation": rules({ operations: ["READ"] }),
  "all groups and one": rules({ apiGroups: ["*", "apps"] }),
  "all versions and one": rules({ apiVersions: ["*", "v1"] }),
  "an empty version": rules({ apiVersions: [""] }),
  "an unknown scope": rules({ scope: "Planet" }),
  "all resources and one": rules({ resources: ["*", "pods"] }),
  "all resources and a subresource": rules({ resources: ["*", "pods/status"] }),
  "everything and one": rules({ resources: ["*/*", "pods"] }),
  "a resource with all below and one below": rules({ resources: ["pods/*", "pods/status"] }),
  "one below everything and of one": rules({ resources: ["*/status", "pods/status"] }),
  "an empty resource": rules({ resources: [""] }),
  "no client": hooks({ clientConfig: null }),
  "a client of nothing": client({}),
  "a client of both": client({ url: "https://a", service: { name: "s", namespace: "n" } }),
  "plain http": client({ url: "http://localhost" }),
  "a URL without a host": client({ url: "https://" }),
  "a URL with a user": client({ url: "https://me@localhost" }),
  "a URL with a query and a fragment": client({ url: "https://localhost/x?a=b#c" }),
  "no URL at all": client({ url: "" }),
  "a service": service({}),
  "a service without names": client({ service: {} }),
  "a service with a port": service({ port: 99999 }),
  "a service with a path": service({ path: "/a/b" }),
  "a service with a relative path": service({ path: "a" }),
  "a service with an empty step": service({ path: "/a//b" }),
  "a service with a bad step": service({ path: "/A_" }),
};

export const webhookFields: readonly Group[] = (["validating", "mutating"] as const).map((which) =>
  fieldsOf(
    {
      group: "admissionregistration.k8s.io",
      version: "v1",
      resource: `${which}webhookconfigurations`,
      kind: which === "validating" ? "ValidatingWebhookConfiguration" : "MutatingWebhookConfiguration",
      cluster: true,
      base: {},
    },
    which === "validating" ? cases : { ...cases, "an unknown reinvocation": hooks({ reinvocationPolicy: "Often" }) },
  ),
);
