import type { Application, KubeObject } from "@tiphys/resources";
import { groupVersionOf } from "@tiphys/resources";

const LINK_PREFIX = "link.argocd.argoproj.io/";
const IGNORE_DEFAULT_LINKS = "argocd.argoproj.io/ignore-default-links";

interface IngressRule {
  host?: string;
  http?: { paths?: { path?: string }[] };
}
interface IngressTls {
  secretName?: string;
  hosts?: string[];
}

const list = <T>(value: unknown): T[] => (Array.isArray(value) ? value.filter((each) => each) : []);

/** Links become `href`s in consoles, so a script that poses as one is left out. The text is `URL` or `title|URL`. */
function isWebLink(text: string): boolean {
  try {
    return ["http:", "https:"].includes(new URL(text.slice(text.indexOf("|") + 1).trim()).protocol);
  } catch {
    return false;
  }
}

const linksOf = (object: KubeObject): string[] =>
  Object.entries(object.metadata.annotations ?? {})
    .filter(([key, value]) => key.startsWith(LINK_PREFIX) && isWebLink(value))
    .map(([, value]) => value);

/** One URL per path of an Ingress; a rule without host is reached at the address of the load balancer. */
function ingressUrls(object: KubeObject): string[] {
  const { rules, tls } = object["spec"] ?? {};
  const [address] = list<{ hostname?: string; ip?: string }>(object["status"]?.loadBalancer?.ingress)
    .map(({ hostname, ip }) => hostname || ip)
    .filter((each) => each);
  return list<IngressRule>(rules).flatMap((rule) => {
    const host = rule.host || address;
    if (!host) return [];
    const secure = list<IngressTls>(tls).some(
      ({ secretName, hosts }) => Boolean(secretName) || list<string>(hosts).includes(host),
    );
    return list<{ path?: string }>(rule.http?.paths).map(
      ({ path }) => `${secure ? "https" : "http"}://${host}${(path ?? "").replace(/\*$/, "")}`,
    );
  });
}

const isIngress = (object: KubeObject): boolean =>
  object.kind === "Ingress" && ["networking.k8s.io", "extensions"].includes(groupVersionOf(object.apiVersion).group);

/** Where an application can be opened: its Ingresses, and what annotations say; sorted. */
export function externalUrlsOf(app: Application, live: Iterable<KubeObject>): string[] {
  const found = new Set(linksOf(app));
  for (const object of live) {
    for (const url of linksOf(object)) found.add(url);
    if (!isIngress(object) || object.metadata.annotations?.[IGNORE_DEFAULT_LINKS] === "true") continue;
    for (const url of ingressUrls(object)) found.add(url);
  }
  return [...found].sort();
}
