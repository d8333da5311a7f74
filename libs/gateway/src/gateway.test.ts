import { milliseconds, mirrorShare, modifyHeaders, redirectOf, replacePath } from "./filters.js";
import { common, covers } from "./hostnames.js";
import { entryFor, type GatewayRequest, listenerFor, precedence } from "./match.js";
import type { Entry, Rule, ServedListener } from "./model.js";

describe("hostnames", () => {
  it.each([
    { a: undefined, b: undefined, want: { host: undefined } },
    { a: "shop.example", b: undefined, want: { host: "shop.example" } },
    { a: "*.example", b: "shop.example", want: { host: "shop.example" } },
    { a: "shop.example", b: "*.example", want: { host: "shop.example" } },
    { a: "*.example", b: "*.shop.example", want: { host: "*.shop.example" } },
    { a: "*.example", b: "example", want: undefined },
    { a: "a.example", b: "b.example", want: undefined },
  ])("$a and $b have $want in common", ({ a, b, want }) => expect(common(a, b)).toEqual(want));

  it("covers any depth, but not the name itself", () => {
    expect(covers("*.example", "a.b.example")).toBe(true);
    expect(covers("*.example", "example")).toBe(false);
    expect(covers("*.example", "anexample")).toBe(false);
  });
});

describe("filters", () => {
  it.each([
    { path: "/a/b", replace: { type: "ReplacePrefixMatch", replacePrefixMatch: "/x" }, prefix: "/a", want: "/x/b" },
    { path: "/a", replace: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" }, prefix: "/a", want: "/" },
    { path: "/a/", replace: { type: "ReplacePrefixMatch", replacePrefixMatch: "/x" }, prefix: "/a", want: "/x/" },
    { path: "/a/b", replace: { type: "ReplacePrefixMatch", replacePrefixMatch: "" }, prefix: "/a/", want: "/b" },
    { path: "/b", replace: { type: "ReplacePrefixMatch", replacePrefixMatch: "/x" }, prefix: "/", want: "/x/b" },
    { path: "/a/b", replace: { type: "ReplaceFullPath", replaceFullPath: "/whole" }, prefix: "/a", want: "/whole" },
    { path: "/a/b", replace: undefined, prefix: "/a", want: "/a/b" },
  ])("$path under $prefix becomes $want", ({ path, replace, prefix, want }) =>
    expect(replacePath(path, replace, prefix)).toBe(want),
  );

  const at = { scheme: "http", host: "shop.example", port: 8080, path: "/a", search: "?q=1" } as const;
  it.each([
    { filter: {}, want: { status: 302, location: "http://shop.example:8080/a?q=1" } },
    { filter: { scheme: "https", statusCode: 301 }, want: { status: 301, location: "https://shop.example/a?q=1" } },
    { filter: { port: 80 }, want: { status: 302, location: "http://shop.example/a?q=1" } },
    { filter: { hostname: "new.example" }, want: { status: 302, location: "http://new.example:8080/a?q=1" } },
  ])("redirects by $filter to $want.location", ({ filter, want }) => expect(redirectOf(filter, at, "/")).toEqual(want));

  it("sets, adds and removes headers without regard to case", () => {
    const modifier = { set: [{ name: "A", value: "1" }], add: [{ name: "B", value: "2" }], remove: ["C"] };
    expect(modifyHeaders({ a: "0", b: "1", c: "x" }, modifier)).toEqual({ a: "1", b: ["1", "2"] });
  });

  it("reads durations and shares", () => {
    expect(["1m30s", "500ms", "0s", undefined].map(milliseconds)).toEqual([90_000, 500, 0, undefined]);
    expect(mirrorShare({ fraction: { numerator: 1, denominator: 3 } })).toEqual({ taken: 1, of: 3 });
    expect([mirrorShare({ percent: 5 }), mirrorShare({})]).toEqual([
      { taken: 5, of: 100 },
      { taken: 100, of: 100 },
    ]);
  });
});

describe("matches", () => {
  const rule = (key: string): Rule => ({ key, route: { namespace: "", name: "" }, filters: [], backends: [] });
  const listener = (entries: Entry[], more: Partial<ServedListener> = {}): ServedListener => ({
    key: "l",
    protocol: "HTTP",
    port: 80,
    certificates: [],
    entries: [...entries].sort(precedence),
    ...more,
  });
  const request = (path: string, more: Partial<GatewayRequest> = {}): GatewayRequest => ({
    host: "shop.example",
    method: "GET",
    path,
    query: new URLSearchParams(),
    headers: {},
    ...more,
  });

  it("prefers the more specific hostname over the more specific path", () => {
    const one = listener([
      { match: { path: { type: "Exact", value: "/a" } }, rule: rule("any host") },
      { hostname: "*.example", match: { path: { type: "Exact", value: "/a" } }, rule: rule("wildcard") },
      { hostname: "shop.example", match: {}, rule: rule("exact host") },
    ]);
    expect(entryFor(one, request("/a"))?.rule.key).toBe("exact host");
    expect(entryFor(one, request("/a", { host: "x.example" }))?.rule.key).toBe("wildcard");
    expect(entryFor(one, request("/b", { host: "x.example" }))).toBeUndefined();
  });

  it("never lets an expression that cannot be read match", () => {
    const one = listener([{ match: { path: { type: "RegularExpression", value: "(" } }, rule: rule("bad") }]);
    expect(entryFor(one, request("/("))).toBeUndefined();
  });

  it("chooses the listener by protocol, port and the closest hostname", () => {
    const all = [
      listener([], { key: "any" }),
      listener([], { key: "wild", hostname: "*.example" }),
      listener([], { key: "exact", hostname: "shop.example" }),
      listener([], { key: "tls", protocol: "HTTPS", port: 443 }),
    ];
    expect(listenerFor(all, "HTTP", 80, "shop.example")?.key).toBe("exact");
    expect(listenerFor(all, "HTTP", 80, "a.example")?.key).toBe("wild");
    expect(listenerFor(all, "HTTP", 80, "elsewhere")?.key).toBe("any");
    expect(listenerFor(all, "HTTPS", 443, "elsewhere")?.key).toBe("tls");
    expect(listenerFor(all, "HTTP", 81, "elsewhere")).toBeUndefined();
  });
});
