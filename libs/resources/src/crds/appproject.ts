import type { KubeObject } from "../object.js";
import { any, arrayOf, bool, int, mapOf, object, string, strings } from "./schema-nodes.js";

const groupKind = object({ group: string, kind: string }, ["group", "kind"]);
const clusterItem = object({ group: string, kind: string, name: string }, ["group", "kind"]);
const jwtToken = object({ iat: int, exp: int, id: string }, ["iat"]);
const spec = object({
  description: { type: "string", maxLength: 255 },
  sourceRepos: strings,
  destinations: arrayOf(object({ server: string, name: string, namespace: string })),
  sourceNamespaces: strings,
  clusterResourceWhitelist: arrayOf(clusterItem),
  clusterResourceBlacklist: arrayOf(clusterItem),
  namespaceResourceWhitelist: arrayOf(groupKind),
  namespaceResourceBlacklist: arrayOf(groupKind),
  roles: arrayOf(
    object({ name: string, description: string, policies: strings, groups: strings, jwtTokens: arrayOf(jwtToken) }, [
      "name",
    ]),
  ),
  syncWindows: arrayOf(
    object({
      kind: string,
      schedule: string,
      duration: string,
      timeZone: string,
      applications: strings,
      namespaces: strings,
      clusters: strings,
      andOperator: bool,
      manualSync: bool,
      syncOverrun: bool,
      description: string,
    }),
  ),
  orphanedResources: object({
    warn: bool,
    ignore: arrayOf(object({ group: string, kind: string, name: string })),
  }),
  signatureKeys: arrayOf(object({ keyID: string }, ["keyID"])),
  sourceIntegrity: object({
    git: object({
      policies: arrayOf(
        object({
          repos: arrayOf(object({ url: string })),
          gpg: object({ mode: string, keys: strings }),
          // Ours: lines of allowed signers in place of keys.
          ssh: object({ mode: string, signers: strings }),
        }),
      ),
    }),
    helm: any,
  }),
  permitOnlyProjectScopedClusters: bool,
  destinationServiceAccounts: arrayOf(
    object({ server: string, namespace: string, defaultServiceAccount: string }, ["defaultServiceAccount", "server"]),
  ),
});

/** CustomResourceDefinition of Argo CD's AppProject. */
export const appProjectCrd: KubeObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: {
    name: "appprojects.argoproj.io",
    labels: { "app.kubernetes.io/name": "appprojects.argoproj.io", "app.kubernetes.io/part-of": "argocd" },
  },
  spec: {
    group: "argoproj.io",
    names: {
      kind: "AppProject",
      listKind: "AppProjectList",
      plural: "appprojects",
      singular: "appproject",
      shortNames: ["appproj", "appprojs"],
    },
    scope: "Namespaced",
    versions: [
      {
        name: "v1alpha1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            required: ["metadata", "spec"],
            properties: {
              apiVersion: { type: "string" },
              kind: { type: "string" },
              metadata: { type: "object" },
              spec,
              status: object({ jwtTokensByRole: mapOf(object({ items: arrayOf(jwtToken) })) }),
            },
          },
        },
      },
    ],
  },
};
