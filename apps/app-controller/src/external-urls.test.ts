import type { Application, KubeObject } from "@tiphys/resources";
import { externalUrlsOf } from "./external-urls.js";

const app = (annotations: Record<string, string> = {}): Application => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Application",
  metadata: { name: "web", namespace: "argocd", annotations },
  spec: { project: "default", destination: {} },
});
const ingress = (spec: object, more: { annotations?: Record<string, string>; address?: object } = {}): KubeObject => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "Ingress",
  metadata: { name: "web", namespace: "shop", annotations: more.annotations ?? {} },
  spec,
  ...(more.address ? { status: { loadBalancer: { ingress: [more.address] } } } : {}),
});
const rule = (host: string | undefined, ...paths: string[]) => ({
  ...(host ? { host } : {}),
  http: { paths: paths.map((path) => ({ path })) },
});

it.each<{ why: string; live: KubeObject[]; want: string[]; of?: Application }>([
  {
    why: "each path of a host is a place",
    live: [ingress({ rules: [rule("shop.example", "/", "/admin/*")] })],
    want: ["http://shop.example/", "http://shop.example/admin/"],
  },
  {
    why: "a host with a certificate is https",
    live: [ingress({ rules: [rule("a.example", "/"), rule("b.example", "/")], tls: [{ hosts: ["a.example"] }] })],
    want: ["http://b.example/", "https://a.example/"],
  },
  {
    why: "without a host the load balancer's address is the place",
    live: [ingress({ rules: [rule(undefined, "/")] }, { address: { ip: "192.0.2.7" } })],
    want: ["http://192.0.2.7/"],
  },
  { why: "without any address there is no place", live: [ingress({ rules: [rule(undefined, "/")] })], want: [] },
  {
    why: "default links can be switched off, and links by annotation stay",
    live: [
      ingress(
        { rules: [rule("shop.example", "/")] },
        {
          annotations: {
            "argocd.argoproj.io/ignore-default-links": "true",
            "link.argocd.argoproj.io/external-link": "Shop|https://shop.example",
          },
        },
      ),
    ],
    want: ["Shop|https://shop.example"],
  },
  {
    why: "a script is no link",
    live: [],
    of: app({
      "link.argocd.argoproj.io/a": "javascript:alert(1)",
      "link.argocd.argoproj.io/b": "Docs|javascript:alert(1)",
      "link.argocd.argoproj.io/c": "https://docs.example",
    }),
    want: ["https://docs.example"],
  },
  {
    why: "an Ingress of an unexpected shape names nothing",
    live: [ingress({ rules: "x", tls: 3 }), ingress({ rules: [null, { http: { paths: [null] } }] })],
    want: [],
  },
])("$why", ({ live, want, of = app() }) => expect(externalUrlsOf(of, live)).toEqual(want));
