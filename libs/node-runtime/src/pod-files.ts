import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KubeObject } from "@tiphys/resources";
import type { Mount } from "./volumes.js";

const HOSTS = `# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
fe00::\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
`;

/** The host name of a pod's containers, and its full name when it has a subdomain. */
export function hostnameOf(pod: KubeObject): { readonly short: string; readonly full?: string } {
  const spec = pod["spec"] ?? {};
  if (spec.hostnameOverride) return { short: String(spec.hostnameOverride) };
  const short = String(spec.hostname ?? pod.metadata.name)
    .slice(0, 63)
    .replace(/[-.]+$/, "");
  return spec.subdomain
    ? { short, full: `${short}.${spec.subdomain}.${pod.metadata.namespace}.svc.cluster.local` }
    : { short };
}

/** /etc/hosts as a kubelet writes it; `ip` is where the pod's own name leads. */
export function hostsFile(pod: KubeObject, ip: string): string {
  const { short, full } = hostnameOf(pod);
  const own = `${ip}\t${full ? `${full}\t` : ""}${short}\n`;
  const aliases = (pod["spec"]?.hostAliases ?? []) as { ip: string; hostnames?: string[] }[];
  const lines = aliases.map((alias) => `${alias.ip}\t${(alias.hostnames ?? []).join("\t")}\n`).join("");
  return `${HOSTS}${own}${lines ? `\n# Entries added by HostAliases.\n${lines}` : ""}`;
}

interface DnsConfig {
  nameservers?: string[];
  searches?: string[];
  options?: { name?: string; value?: string }[];
}

/** /etc/resolv.conf: the host's, unless the policy is None, with the pod's own settings added. */
export function resolvFile(pod: KubeObject, host: string): string {
  const config = (pod["spec"]?.dnsConfig ?? {}) as DnsConfig;
  const servers: string[] = [];
  const searches: string[] = [];
  const options = new Map<string, string | undefined>();
  if (pod["spec"]?.dnsPolicy !== "None") {
    for (const line of host.split("\n")) {
      const [word, ...rest] = line.trim().split(/\s+/);
      if (word === "nameserver") servers.push(...rest.slice(0, 1));
      else if (word === "search") searches.splice(0, searches.length, ...rest);
      else if (word === "options") {
        for (const option of rest) {
          const [name = "", value] = option.split(":");
          options.set(name, value);
        }
      }
    }
  }
  servers.push(...(config.nameservers ?? []));
  searches.push(...(config.searches ?? []));
  for (const { name = "", value } of config.options ?? []) options.set(name, value);
  const unique = (list: readonly string[]) => [...new Set(list)];
  const lines = unique(servers).map((server) => `nameserver ${server}`);
  if (searches.length > 0) lines.unshift(`search ${unique(searches).join(" ")}`);
  if (options.size > 0) {
    lines.push(
      `options ${[...options].map(([name, value]) => (value === undefined ? name : `${name}:${value}`)).join(" ")}`,
    );
  }
  return `${lines.join("\n")}\n`;
}

/** Writes the files that a kubelet keeps for a pod, and gives where its containers see them. */
export async function writePodFiles(pod: KubeObject, dir: string, ip: string): Promise<readonly Mount[]> {
  const folder = join(dir, "etc");
  await mkdir(folder, { recursive: true });
  const host = await readFile("/etc/resolv.conf", "utf8").catch(() => "");
  const { short } = hostnameOf(pod);
  const files: readonly [string, string][] = [
    ["hosts", hostsFile(pod, ip)],
    ["hostname", `${short}\n`],
    ["resolv.conf", resolvFile(pod, host)],
  ];
  for (const [name, text] of files) await writeFile(join(folder, name), text, { mode: 0o644 });
  // One writer at most is meant, but programs edit their hosts file on a cluster too.
  return files.map(([name]) => ({ source: join(folder, name), target: `/etc/${name}`, readOnly: false }));
}

/** True when a pod asks for names that the host's own files do not have. */
export const wantsOwnNames = (pod: KubeObject): boolean =>
  (pod["spec"]?.hostAliases ?? []).length > 0 ||
  pod["spec"]?.dnsConfig !== undefined ||
  pod["spec"]?.dnsPolicy === "None";
