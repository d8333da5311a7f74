import type { Application, AppProject, KubeObject } from "@tiphys/resources";
import { pollPeriod } from "./poll-period.js";
import { settingsWithoutEffect } from "./settings-report.js";
import { type WarningInput, warningsOf } from "./warnings.js";

const configMap = (name: string, data: Record<string, string>): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "argocd" },
  data,
});

it.each([
  ["argocd-cm", { "resource.customizations.health.x_Y": "return {}", globalProjects: "[]" }, 2],
  ["argocd-cm", { "timeout.reconciliation": "60s", "application.resourceTrackingMethod": "annotation" }, 0],
  ["argocd-cm", { "application.resourceTrackingMethod": "label", installationID: "" }, 1],
  ["argocd-cm", { "kustomize.path.v4.5.7": "/tools/kustomize", "kustomize.version.v3": "/old" }, 0],
  ["argocd-cmd-params-cm", { "application.namespaces": "team-*" }, 1],
  ["argocd-ssh-known-hosts-cm", { ssh_known_hosts: "x" }, 0],
  ["somebody-elses", { x: "y" }, 0],
])("names the keys of %s that change nothing: %j", (name, data, count) => {
  expect(settingsWithoutEffect(configMap(name, data))).toEqual(count === 0 ? [] : expect.any(Array));
  expect(settingsWithoutEffect(configMap(name, data))).toHaveLength(count);
});

it.each([
  [{}, { milliseconds: 120_000, jitterMilliseconds: 60_000 }],
  [{ "timeout.reconciliation": "3m" }, { milliseconds: 180_000, jitterMilliseconds: 60_000 }],
  [{ "timeout.reconciliation.jitter": "0s" }, { milliseconds: 120_000, jitterMilliseconds: 0 }],
  [{ "timeout.reconciliation": "soon" }, { milliseconds: 120_000, jitterMilliseconds: 60_000 }],
  [{ "timeout.reconciliation": "0s" }, { milliseconds: 86_400_000, jitterMilliseconds: 60_000 }],
])("polls as %j asks", (data, want) =>
  expect(pollPeriod(configMap("argocd-cm", data), { milliseconds: 120_000, jitterMilliseconds: 60_000 })).toEqual(want),
);

const input = (change: Partial<WarningInput> & { spec?: object; project?: AppProject }): WarningInput => ({
  app: {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Application",
    metadata: { name: "web", namespace: "argocd" },
    spec: { project: "default", destination: { namespace: "shop" }, ...change.spec },
  } as Application,
  project: undefined,
  namespace: undefined,
  desired: [],
  controlNamespace: "argocd",
  ...change,
});
const project = (spec: object): AppProject => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "AppProject",
  metadata: { name: "team" },
  spec,
});
const shop: KubeObject = { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop", labels: { a: "1" } } };
const subscribed = { "notifications.argoproj.io/subscribe.on-sync-failed.slack": "ops" };
const managed = (labels: Record<string, string>) => ({ syncPolicy: { managedNamespaceMetadata: { labels } } });
const compared: KubeObject = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: {
    name: "x",
    annotations: { "argocd.argoproj.io/compare-options": "IgnoreExtraneous, ServerSideDiff=true" },
  },
};

it.each([
  ["nothing", input({}), undefined],
  ["sourceNamespaces", input({ project: project({ sourceNamespaces: ["x"] }) }), /'team': spec\.sourceNamespaces/],
  ["orphanedResources", input({ project: project({ orphanedResources: {} }) }), /spec\.orphanedResources/],
  ["metadata of a namespace that has it", input({ namespace: shop, spec: managed({ a: "1" }) }), undefined],
  ["metadata of a namespace to be made", input({ spec: managed({ a: "2" }) }), undefined],
  [
    "metadata of a namespace that exists",
    input({ namespace: shop, spec: managed({ a: "2" }) }),
    /managedNamespaceMeta/,
  ],
  [
    "a subscription to notifications",
    input({ app: { ...input({}).app, metadata: { name: "web", annotations: subscribed } } }),
    /nothing is sent for notifications\.argoproj\.io\/subscribe\.on-sync-failed\.slack/,
  ],
  [
    "what a render says, once",
    input({ ofSources: [1, 2].map(() => ({ type: "UnresolvedPlaceholderWarning", message: "Secret db: left" })) }),
    /^Secret db: left$/,
  ],
  ["a compare option", input({ desired: [compared] }), /ConfigMap x: compare option ServerSideDiff/],
])("warns of %s set without effect", (_, given, want) => {
  const messages = warningsOf(given).map((each) => each.message);
  if (want === undefined) expect(messages).toEqual([]);
  else expect(messages).toEqual([expect.stringMatching(want)]);
});
