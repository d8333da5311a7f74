import type { KubeObject } from "../object.js";
import * as s from "./gateway-schema.js";
import type { SchemaNode } from "./schema-nodes.js";

const GROUP = "gateway.networking.k8s.io";

interface Parts {
  readonly kind: string;
  readonly plural: string;
  readonly shortNames?: readonly string[];
  readonly cluster?: boolean;
  readonly columns: readonly Record<string, unknown>[];
  readonly spec: SchemaNode;
  readonly status?: SchemaNode;
  /** Older versions with the same schema. */
  readonly alsoServed?: readonly string[];
}

const age = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" };

/** A CustomResourceDefinition of Gateway API in version v1. */
function gatewayCrd(parts: Parts): KubeObject {
  const { kind, plural, shortNames, cluster, columns, spec, status, alsoServed = [] } = parts;
  const schema = s.object(
    {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { type: "object" },
      spec,
      ...(status ? { status } : {}),
    },
    ["spec"],
  );
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${plural}.${GROUP}`,
      // The API server wants a reference to an approval for definitions in its own domain.
      annotations: { "api-approved.kubernetes.io": "unapproved, served by Tiphys: see docs/embedded-cluster.md" },
    },
    spec: {
      group: GROUP,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        categories: ["gateway-api"],
        ...(shortNames ? { shortNames: [...shortNames] } : {}),
      },
      scope: cluster ? "Cluster" : "Namespaced",
      versions: ["v1", ...alsoServed].map((name) => ({
        name,
        served: true,
        storage: name === "v1",
        additionalPrinterColumns: [...columns],
        schema: { openAPIV3Schema: schema },
        ...(status ? { subresources: { status: {} } } : {}),
      })),
    },
  };
}

export const gatewayClassCrd = gatewayCrd({
  kind: "GatewayClass",
  plural: "gatewayclasses",
  shortNames: ["gc"],
  cluster: true,
  alsoServed: ["v1beta1"],
  columns: [
    { name: "Controller", type: "string", jsonPath: ".spec.controllerName" },
    { name: "Accepted", type: "string", jsonPath: '.status.conditions[?(@.type=="Accepted")].status' },
    age,
    { name: "Description", type: "string", jsonPath: ".spec.description", priority: 1 },
  ],
  spec: s.object(
    {
      controllerName: s.checked(s.controllerName, ["self == oldSelf", "the controller of a class may not change"]),
      parametersRef: s.namespacedReference,
      description: s.limited(64),
    },
    ["controllerName"],
  ),
  status: s.withDefault(
    s.object({
      conditions: s.withDefault(s.conditions, s.pending("Accepted")),
      supportedFeatures: s.keyed(s.object({ name: { type: "string" } }, ["name"]), 64, "name"),
    }),
    { conditions: s.pending("Accepted") },
  ),
});

const address = (needsValue: boolean): SchemaNode =>
  s.object(
    {
      type: s.withDefault(
        {
          type: "string",
          minLength: 1,
          maxLength: 253,
          pattern:
            "^Hostname|IPAddress|NamedAddress|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\\/[A-Za-z0-9\\/\\-._~%!$&'()*+,;=:]+$",
        },
        "IPAddress",
      ),
      value: s.limited(253),
    },
    needsValue ? ["value"] : [],
  );

const allowedRoutes = s.withDefault(
  s.object({
    namespaces: s.withDefault(
      s.object({ from: s.withDefault(s.oneOf("All", "Selector", "Same"), "Same"), selector: s.labelSelector }),
      { from: "Same" },
    ),
    kinds: s.atomic(s.object({ group: s.withDefault(s.group, GROUP), kind: s.kind }, ["kind"]), 8),
  }),
  { namespaces: { from: "Same" } },
);

const listener = s.object(
  {
    name: s.sectionName,
    hostname: s.hostname,
    port: s.port,
    protocol: {
      type: "string",
      minLength: 1,
      maxLength: 255,
      pattern:
        "^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\\/[A-Za-z0-9]+$",
    },
    tls: s.checked(
      s.object({
        mode: s.withDefault(s.oneOf("Terminate", "Passthrough"), "Terminate"),
        certificateRefs: s.atomic(s.secretReference, 64),
        options: { ...s.mapOf(s.limited(4096)), maxProperties: 16 },
      }),
      [
        "self.mode == 'Terminate' ? (has(self.certificateRefs) && size(self.certificateRefs) > 0) || (has(self.options) && size(self.options) > 0) : true",
        "a listener that ends TLS needs certificateRefs or options",
      ],
    ),
    allowedRoutes,
  },
  ["name", "port", "protocol"],
);

const frontendValidation = s.object({
  validation: s.object(
    {
      caCertificateRefs: s.atomic(s.namespacedReference, 16, { minItems: 1 }),
      mode: s.withDefault(s.oneOf("AllowValidOnly", "AllowInsecureFallback"), "AllowValidOnly"),
    },
    ["caCertificateRefs"],
  ),
});

export const gatewayKindCrd = gatewayCrd({
  kind: "Gateway",
  plural: "gateways",
  shortNames: ["gtw"],
  alsoServed: ["v1beta1"],
  columns: [
    { name: "Class", type: "string", jsonPath: ".spec.gatewayClassName" },
    { name: "Address", type: "string", jsonPath: ".status.addresses[*].value" },
    { name: "Programmed", type: "string", jsonPath: '.status.conditions[?(@.type=="Programmed")].status' },
    age,
  ],
  spec: s.object(
    {
      gatewayClassName: s.objectName,
      listeners: s.checked(
        { ...s.keyed(listener, 64, "name"), minItems: 1 },
        [
          "self.all(l, l.protocol in ['HTTP', 'TCP', 'UDP'] ? !has(l.tls) : true)",
          "listeners of protocol HTTP, TCP and UDP have no tls",
        ],
        [
          "self.all(l, (l.protocol == 'HTTPS' && has(l.tls)) ? (l.tls.mode == '' || l.tls.mode == 'Terminate') : true)",
          "listeners of protocol HTTPS end TLS themselves: mode Terminate",
        ],
        [
          "self.all(l, l.protocol in ['TCP', 'UDP'] ? (!has(l.hostname) || l.hostname == '') : true)",
          "listeners of protocol TCP and UDP have no hostname",
        ],
        [
          "self.all(l1, self.exists_one(l2, l1.port == l2.port && l1.protocol == l2.protocol && (has(l1.hostname) && has(l2.hostname) ? l1.hostname == l2.hostname : !has(l1.hostname) && !has(l2.hostname))))",
          "port, protocol and hostname together are given to one listener only",
        ],
      ),
      addresses: s.atomic(address(false), 16),
      infrastructure: s.object({
        labels: {
          ...s.mapOf({ ...s.limited(63), pattern: "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$" }),
          maxProperties: 8,
        },
        annotations: { ...s.mapOf(s.limited(4096)), maxProperties: 16 },
        parametersRef: s.localReference,
      }),
      allowedListeners: s.object({
        namespaces: s.withDefault(
          s.object({
            from: s.withDefault(s.oneOf("All", "Selector", "Same", "None"), "None"),
            selector: s.labelSelector,
          }),
          { from: "None" },
        ),
      }),
      tls: s.object({
        backend: s.object({ clientCertificateRef: s.secretReference }),
        frontend: s.object(
          {
            default: frontendValidation,
            perPort: s.keyed(s.object({ port: s.port, tls: frontendValidation }, ["port", "tls"]), 64, "port"),
          },
          ["default"],
        ),
      }),
    },
    ["gatewayClassName", "listeners"],
  ),
  status: s.withDefault(
    s.object({
      addresses: s.atomic(address(true), 16),
      attachedListenerSets: s.count(),
      conditions: s.withDefault(s.conditions, s.pending("Accepted", "Programmed")),
      listeners: s.keyed(
        s.object(
          {
            name: s.sectionName,
            supportedKinds: s.atomic(s.object({ group: s.withDefault(s.group, GROUP), kind: s.kind }, ["kind"]), 8),
            attachedRoutes: s.count(),
            conditions: s.conditions,
          },
          ["attachedRoutes", "conditions", "name"],
        ),
        64,
        "name",
      ),
    }),
    { conditions: s.pending("Accepted", "Programmed") },
  ),
});

const replacement = s.checked(
  s.object(
    {
      type: s.oneOf("ReplaceFullPath", "ReplacePrefixMatch"),
      replaceFullPath: s.limited(1024),
      replacePrefixMatch: s.limited(1024),
    },
    ["type"],
  ),
  ["has(self.replaceFullPath) == (self.type == 'ReplaceFullPath')", "replaceFullPath belongs to type ReplaceFullPath"],
  [
    "has(self.replacePrefixMatch) == (self.type == 'ReplacePrefixMatch')",
    "replacePrefixMatch belongs to type ReplacePrefixMatch",
  ],
);

const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] as const;
const allAlone = ["!('*' in self && self.size() > 1)", "* stands alone"] as const;

const httpFilters = s.checked(
  s.atomic(
    s.filter({
      requestHeaderModifier: ["RequestHeaderModifier", s.headerModifier],
      responseHeaderModifier: ["ResponseHeaderModifier", s.headerModifier],
      requestMirror: ["RequestMirror", s.requestMirror],
      requestRedirect: [
        "RequestRedirect",
        s.object({
          scheme: s.oneOf("http", "https"),
          hostname: s.preciseHostname,
          path: replacement,
          port: s.port,
          statusCode: s.withDefault(s.oneOf(301, 302, 303, 307, 308), 302),
        }),
      ],
      urlRewrite: ["URLRewrite", s.object({ hostname: s.preciseHostname, path: replacement })],
      extensionRef: ["ExtensionRef", s.localReference],
      cors: [
        "CORS",
        s.object({
          allowOrigins: s.checked(
            s.setOf(
              {
                type: "string",
                minLength: 1,
                maxLength: 253,
                pattern:
                  "(^\\*$)|(^(http(s)?):\\/\\/(((\\*\\.)?([a-zA-Z0-9\\-]+\\.)*[a-zA-Z0-9-]+|\\*)(:([0-9]{1,5}))?)$)",
              },
              64,
            ),
            allAlone,
          ),
          allowCredentials: s.bool,
          allowMethods: s.checked(s.setOf(s.oneOf(...methods, "*"), 9), allAlone),
          allowHeaders: s.checked(s.setOf(s.headerName, 64), allAlone),
          exposeHeaders: s.setOf(s.headerName, 64),
          maxAge: s.withDefault(s.count({ minimum: 1 }), 5),
        }),
      ],
    }),
    16,
  ),
  [
    "!(self.exists(f, f.type == 'RequestRedirect') && self.exists(f, f.type == 'URLRewrite'))",
    "a rule either redirects or rewrites",
  ],
  s.once("CORS"),
  s.once("RequestHeaderModifier"),
  s.once("ResponseHeaderModifier"),
  s.once("RequestRedirect"),
  s.once("URLRewrite"),
);

const named = s.object(
  {
    type: s.withDefault(s.oneOf("Exact", "RegularExpression"), "Exact"),
    name: s.headerName,
    value: s.headerValue,
  },
  ["name", "value"],
);
const everything = { type: "PathPrefix", value: "/" };

const httpMatch = s.object({
  path: s.withDefault(
    s.checked(
      s.object({
        type: s.withDefault(s.oneOf("Exact", "PathPrefix", "RegularExpression"), "PathPrefix"),
        value: s.withDefault(s.limited(1024), "/"),
      }),
      [
        "(self.type in ['Exact', 'PathPrefix']) ? self.value.startsWith('/') : true",
        "a path that is compared as it is begins with /",
      ],
      [
        "(self.type in ['Exact', 'PathPrefix']) ? !self.value.contains('//') && !self.value.contains('/./') && !self.value.contains('/../') && !self.value.contains('#') && !self.value.endsWith('/..') && !self.value.endsWith('/.') : true",
        "a path that is compared as it is has no //, /./, /../ or #",
      ],
    ),
    everything,
  ),
  headers: s.keyed(named, 16, "name"),
  queryParams: s.keyed(named, 16, "name"),
  method: s.oneOf(...methods),
});

const routeSpec = (rules: SchemaNode): SchemaNode =>
  s.object({ parentRefs: s.atomic(s.parentReference, 32), hostnames: s.atomic(s.hostname, 16), rules });
const routeColumns = [{ name: "Hostnames", type: "string", jsonPath: ".spec.hostnames" }, age];

export const httpRouteCrd = gatewayCrd({
  kind: "HTTPRoute",
  plural: "httproutes",
  alsoServed: ["v1beta1"],
  columns: routeColumns,
  spec: routeSpec(
    s.withDefault(
      s.atomic(
        s.checked(
          s.object({
            name: s.sectionName,
            matches: s.withDefault(s.atomic(httpMatch, 64), [{ path: everything }]),
            filters: httpFilters,
            backendRefs: s.atomic(s.weightedBackend(httpFilters), 16),
            timeouts: s.checked(s.object({ request: s.duration, backendRequest: s.duration }), [
              "!(has(self.request) && has(self.backendRequest) && duration(self.request) != duration('0s') && duration(self.backendRequest) > duration(self.request))",
              "backendRequest may not be longer than request",
            ]),
          }),
          [
            "(has(self.backendRefs) && size(self.backendRefs) > 0) ? (!has(self.filters) || self.filters.all(f, !has(f.requestRedirect))) : true",
            "a rule that redirects has no backendRefs",
          ],
        ),
        16,
        { minItems: 1 },
      ),
      [{ matches: [{ path: everything }] }],
    ),
  ),
  status: s.routeStatus,
});

const grpcFilters = s.checked(
  s.atomic(
    s.filter({
      requestHeaderModifier: ["RequestHeaderModifier", s.headerModifier],
      responseHeaderModifier: ["ResponseHeaderModifier", s.headerModifier],
      requestMirror: ["RequestMirror", s.requestMirror],
      extensionRef: ["ExtensionRef", s.localReference],
    }),
    16,
  ),
  s.once("RequestHeaderModifier"),
  s.once("ResponseHeaderModifier"),
);

export const grpcRouteCrd = gatewayCrd({
  kind: "GRPCRoute",
  plural: "grpcroutes",
  columns: routeColumns,
  spec: routeSpec(
    s.atomic(
      s.object({
        name: s.sectionName,
        matches: s.atomic(
          s.object({
            method: s.checked(
              s.object({
                type: s.withDefault(s.oneOf("Exact", "RegularExpression"), "Exact"),
                service: s.limited(1024),
                method: s.limited(1024),
              }),
              ["has(self.service) || has(self.method)", "a method match names a service, a method or both"],
            ),
            headers: s.keyed(named, 16, "name"),
          }),
          64,
        ),
        filters: grpcFilters,
        backendRefs: s.atomic(s.weightedBackend(grpcFilters), 16),
      }),
      16,
    ),
  ),
  status: s.routeStatus,
});

export const referenceGrantCrd = gatewayCrd({
  kind: "ReferenceGrant",
  plural: "referencegrants",
  shortNames: ["refgrant"],
  alsoServed: ["v1beta1"],
  columns: [age],
  spec: s.object(
    {
      from: s.atomic(
        s.object({ group: s.group, kind: s.kind, namespace: s.namespace }, ["group", "kind", "namespace"]),
        16,
        { minItems: 1 },
      ),
      to: s.atomic(s.object({ group: s.group, kind: s.kind, name: s.objectName }, ["group", "kind"]), 16, {
        minItems: 1,
      }),
    },
    ["from", "to"],
  ),
});

/** Gateway API as custom resources; a cluster that has them from elsewhere keeps its own. */
export const gatewayCrds: readonly KubeObject[] = [
  gatewayClassCrd,
  gatewayKindCrd,
  httpRouteCrd,
  grpcRouteCrd,
  referenceGrantCrd,
];
