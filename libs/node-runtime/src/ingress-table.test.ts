import type { KubeObject } from "@tiphys/resources";
import { isServed, matchIngress, tlsSecrets } from "./ingress-table.js";

const ingress = (
  name: string,
  rules: [host: string, path: string, type: string, service: string][],
  annotations: Record<string, string> = {},
): KubeObject => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "Ingress",
  metadata: {
    name,
    namespace: "shop",
    creationTimestamp: "2026-01-01T00:00:00Z",
    annotations: Object.fromEntries(
      Object.entries(annotations).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value]),
    ),
  },
  spec: {
    rules: rules.map(([host, path, pathType, service]) => ({
      ...(host ? { host } : {}),
      http: { paths: [{ path, pathType, backend: { service: { name: service, port: { number: 80 } } } }] },
    })),
  },
});
const main = ingress("main", [
  ["shop.example", "/", "Prefix", "web"],
  ["shop.example", "/api", "Prefix", "api"],
  ["shop.example", "/api/exact", "Exact", "exact"],
  ["*.wild.example", "/", "Prefix", "wild"],
  ["", "/any", "Prefix", "any"],
]);
const canary = (annotations: Record<string, string>) =>
  ingress("main-canary", [["shop.example", "/", "Prefix", "web-canary"]], { canary: "true", ...annotations });

describe("ingress table", () => {
  it.each([
    { host: "shop.example", path: "/", want: "web" },
    { host: "SHOP.example:8080", path: "/x", want: "web" },
    { host: "shop.example", path: "/api", want: "api" },
    { host: "shop.example", path: "/apix", want: "web" },
    { host: "shop.example", path: "/api/exact", want: "exact" },
    { host: "a.wild.example", path: "/", want: "wild" },
    { host: "a.b.wild.example", path: "/", want: undefined },
    { host: "other", path: "/any/thing", want: "any" },
    { host: "other", path: "/", want: undefined },
  ])("sends $host$path to $want", ({ host, path, want }) => {
    expect(matchIngress([main], { host, path, headers: {} })?.choices[0]?.value.service).toBe(want);
  });

  it.each([
    { annotations: { "canary-weight": "25" }, headers: {}, want: { web: 750_000, "web-canary": 250_000 } },
    {
      annotations: { "canary-weight": "3", "canary-weight-total": "4" },
      headers: {},
      want: { web: 250_000, "web-canary": 750_000 },
    },
    { annotations: { "canary-weight": "100" }, headers: {}, want: { web: 0, "web-canary": 1_000_000 } },
    { annotations: { "canary-by-header": "X-Canary" }, headers: { "x-canary": "always" }, want: { "web-canary": 1 } },
    {
      annotations: { "canary-by-header": "X-Canary", "canary-weight": "50" },
      headers: { "x-canary": "never" },
      want: { web: 1_000_000 },
    },
    {
      annotations: { "canary-by-header": "X-Canary", "canary-by-header-value": "blue" },
      headers: { "x-canary": "blue" },
      want: { "web-canary": 1 },
    },
    { annotations: { "canary-by-cookie": "c" }, headers: { cookie: "a=b; c=always" }, want: { "web-canary": 1 } },
  ] as { annotations: Record<string, string>; headers: Record<string, string>; want: object }[])(
    "weighs $annotations with $headers",
    ({ annotations, headers, want }) => {
      const match = matchIngress([canary(annotations), main], { host: "shop.example", path: "/", headers });
      expect(Object.fromEntries(match!.choices.map(({ value, weight }) => [value.service, weight]))).toEqual(want);
    },
  );

  it("leaves other paths of the host alone", () => {
    const match = matchIngress([main, canary({ "canary-weight": "100" })], {
      host: "shop.example",
      path: "/api/x",
      headers: {},
    });
    expect(match?.choices.map(({ value }) => value.service)).toEqual(["api"]);
  });
});

describe("annotations and TLS of Ingresses", () => {
  const at = (url: string, one: KubeObject) =>
    matchIngress([one], { host: "h", path: url.split("?")[0]!, headers: {} });

  it.each([
    { path: "/api(/|$)(.*)", target: "/$2", url: "/api/items?x=1", want: "/items?x=1" },
    { path: "/api(/|$)(.*)", target: "/$2", url: "/api", want: "/" },
    { path: "/api", target: "/fixed", url: "/api/items?x=1", want: "/fixed?x=1" },
    { path: "/api", target: undefined, url: "/api/items?x=1", want: "/api/items?x=1" },
  ])("$url by $path to $target is $want", ({ path, target, url, want }) => {
    const one = ingress(
      "i",
      [["h", path, "ImplementationSpecific", "web"]],
      target ? { "rewrite-target": target } : {},
    );
    expect(at(url, one)?.rewrite(url)).toBe(want);
  });

  it("sends plain requests of a host with TLS to TLS", () => {
    const one = ingress("i", [["h", "/", "Prefix", "web"]]);
    one["spec"].tls = [{ hosts: ["h"], secretName: "certificate" }];
    expect(at("/a", one)?.redirect("HTTP", "/a?b", "h:8443")).toEqual({ status: 308, location: "https://h:8443/a?b" });
    expect(at("/a", one)?.redirect("HTTPS", "/a?b", "h:8443")).toBeUndefined();
    expect(tlsSecrets([one], "h")).toMatchObject([{ namespace: "shop", name: "certificate" }]);
    const off = ingress("i", [["h", "/", "Prefix", "web"]], { "ssl-redirect": "false" });
    off["spec"].tls = one["spec"].tls;
    expect(at("/a", off)?.redirect("HTTP", "/a", "h")).toBeUndefined();
  });

  it("serves Ingresses without a class, and of classes that are nginx's or ours", () => {
    const classes = [
      {
        apiVersion: "",
        kind: "IngressClass",
        metadata: { name: "public" },
        spec: { controller: "k8s.io/ingress-nginx" },
      },
      { apiVersion: "", kind: "IngressClass", metadata: { name: "nginx" }, spec: { controller: "example.com/other" } },
    ];
    const of = (name?: string) => {
      const one = ingress("i", []);
      if (name) one["spec"].ingressClassName = name;
      return one;
    };
    expect([undefined, "public", "tiphys", "alb"].map((name) => isServed(of(name), classes))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect([isServed(of("nginx"), classes), isServed(of("nginx"), [])]).toEqual([false, true]);
  });
});
