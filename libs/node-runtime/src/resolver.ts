import { UnavailableError } from "@tiphys/errors";
import type { Informers } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import { type Endpoint, forwarderOf } from "./forwarders.js";

/** Where a cluster name, cluster IP or pod IP really is; undefined when it is none of ours. The dialer's port. */
export interface ClusterResolver {
  resolve(host: string, port: number, namespace?: string): Promise<Endpoint | undefined>;
  /** Every ready endpoint of a Service's port, in a stable order; undefined when there is no such Service or port. */
  endpoints(namespace: string, service: string, port: number | string): readonly Endpoint[] | undefined;
}

export interface ClusterResolverDeps {
  readonly informers: Informers;
  /** Asked before the pods' annotations: the table of a node in this process. */
  readonly forwarder?: (ip: string, port: number) => Endpoint | undefined;
}

interface ServicePort {
  name?: string;
  port: number;
  targetPort?: number | string;
}

/** A cluster name that has nowhere to go now, with the reason. */
export class NoEndpointError extends UnavailableError {}

/** Names of type ExternalName that are followed, one to the next. */
const MOST_NAMES = 8;
const IPV4 = /^\d+\.\d+\.\d+\.\d+$/;

/** Reads Services, EndpointSlices and Pods from the caches; picks endpoints in turn. Works in every process of the suite. */
export function createClusterResolver({ informers, forwarder }: ClusterResolverDeps): ClusterResolver {
  const byService = (slice: KubeObject) => {
    const service = slice.metadata.labels?.["kubernetes.io/service-name"];
    return service ? [`${slice.metadata.namespace}/${service}`] : [];
  };
  const services = informers.informer(types.services, {
    indexes: { clusterIP: (service) => (service["spec"]?.clusterIP ? [service["spec"].clusterIP] : []) },
  });
  const slices = informers.informer(types.endpointSlices, { indexes: { service: byService } });
  const pods = informers.informer(types.pods, {
    indexes: { ip: (pod) => (pod["status"]?.podIP ? [pod["status"].podIP] : []) },
  });
  const turns = new Map<string, number>();

  function podEndpoint(ip: string, port: number): Endpoint | undefined {
    const own = forwarder?.(ip, port);
    if (own) return own;
    for (const pod of pods.byIndex("ip", ip)) {
      const found = forwarderOf(pod, port);
      if (found) return found;
    }
    return undefined;
  }

  function endpoints(namespace: string, name: string, port: number | string): readonly Endpoint[] | undefined {
    const service = services.get({ namespace, name });
    if (!service) return undefined;
    const wanted = ((service["spec"]?.ports ?? []) as ServicePort[]).find((one) =>
      typeof port === "number" ? one.port === port : one.name === port,
    );
    if (!wanted) return undefined;
    const found: Endpoint[] = [];
    const addresses = slices.byIndex("service", `${namespace}/${name}`).flatMap((slice) => {
      const target = (slice["ports"] ?? []).find((one: { name?: string }) => (one.name ?? "") === (wanted.name ?? ""));
      return ((slice["endpoints"] ?? []) as SliceEndpoint[])
        .filter(({ conditions }) => conditions?.ready !== false && conditions?.terminating !== true)
        .flatMap((endpoint) =>
          endpoint.addresses.map((address) => ({
            address,
            port: target?.port as number | undefined,
            pod: endpoint.targetRef?.name,
          })),
        );
    });
    addresses.sort((a, b) => (a.address < b.address ? -1 : 1));
    for (const { address, port: target, pod } of addresses) {
      const endpoint = target === undefined ? undefined : podEndpoint(address, target);
      if (endpoint) found.push(pod === undefined ? endpoint : { ...endpoint, pod });
    }
    return found;
  }

  interface SliceEndpoint {
    addresses: string[];
    hostname?: string;
    targetRef?: { name?: string };
    conditions?: { ready?: boolean; terminating?: boolean };
  }

  /** Pods behind a headless Service, or one of them by its hostname, at the port of the pod itself or of the Service. */
  function headless(service: KubeObject, port: number, hostname?: string): readonly Endpoint[] {
    const { name, namespace = "default" } = service.metadata;
    const declared = ((service["spec"]?.ports ?? []) as ServicePort[]).find((one) => one.port === port);
    return slices.byIndex("service", `${namespace}/${name}`).flatMap((slice) => {
      const named = (slice["ports"] ?? []).find(
        (one: { name?: string }) => (one.name ?? "") === (declared?.name ?? ""),
      );
      const target: number = (declared && named?.port) || port;
      return ((slice["endpoints"] ?? []) as SliceEndpoint[])
        .filter(({ conditions }) => conditions?.ready !== false || service["spec"]?.publishNotReadyAddresses === true)
        .filter((one) => hostname === undefined || one.hostname === hostname)
        .flatMap(({ addresses, targetRef }) =>
          addresses.flatMap((address) => {
            const endpoint = podEndpoint(address, target);
            return endpoint ? [targetRef?.name ? { ...endpoint, pod: targetRef.name } : endpoint] : [];
          }),
        );
    });
  }

  /** `db-0.db.shop.svc.cluster.local`: one pod of a headless Service. `10-244-0-9.shop.pod.cluster.local`: a pod's address. */
  function podNamed(host: string, port: number): Endpoint | undefined {
    const labels = host.replace(/\.$/, "").split(".");
    const end = (at: number) => labels.length === at || labels.slice(at).join(".") === "cluster.local";
    const [first = "", second = "", third = ""] = labels;
    if (third === "pod" && end(3) && /^\d+-\d+-\d+-\d+$/.test(first)) {
      const ip = first.replaceAll("-", ".");
      const own = pods.byIndex("ip", ip).some(({ metadata }) => metadata.namespace === second);
      const found = own ? podEndpoint(ip, port) : undefined;
      if (!found) throw new NoEndpointError(`no pod of namespace ${second} has the address ${ip} and port ${port}`);
      return found;
    }
    if (labels[3] !== "svc" || !end(4)) return undefined;
    const service = services.get({ namespace: third, name: second });
    const [found] = service ? headless(service, port, first) : [];
    if (!found) throw new NoEndpointError(`service ${third}/${second} has no ready pod with the hostname ${first}`);
    return found;
  }

  /** `web`, `web.shop`, `web.shop.svc`, `web.shop.svc.cluster.local`. */
  function serviceOf(host: string, namespace: string | undefined): { namespace: string; name: string } | undefined {
    const labels = host.replace(/\.$/, "").split(".");
    const [name, space, svc, ...rest] = labels;
    if (!name) return undefined;
    const clusterName = rest.length === 0 || rest.join(".") === "cluster.local";
    if (labels.length >= 3 && svc === "svc" && clusterName) return { namespace: space!, name };
    const short = labels.length === 1 ? namespace : labels.length === 2 ? space : undefined;
    if (short === undefined) return undefined;
    // A short name could be a real host's: it is ours only when the Service exists.
    return services.get({ namespace: short, name }) ? { namespace: short, name } : undefined;
  }

  async function resolve(
    host: string,
    port: number,
    namespace: string | undefined,
    depth: number,
  ): Promise<Endpoint | undefined> {
    await Promise.all([services.synced, slices.synced, pods.synced]);
    const pod = IPV4.test(host) ? podEndpoint(host, port) : podNamed(host, port);
    if (pod) return pod;
    const service = IPV4.test(host) ? services.byIndex("clusterIP", host)[0]?.metadata : serviceOf(host, namespace);
    if (!service) return undefined;
    const key = `${service.namespace}/${service.name}:${port}`;
    const object = services.get({ namespace: service.namespace ?? "default", name: service.name });
    const external: string | undefined =
      object?.["spec"]?.type === "ExternalName" ? object["spec"].externalName : undefined;
    if (external !== undefined) {
      const found = depth < MOST_NAMES ? await resolve(external, port, service.namespace, depth + 1) : undefined;
      if (found) return found;
      throw new NoEndpointError(`service ${key} stands for "${external}", which is no cluster name: ask for that name`);
    }
    const isHeadless = object?.["spec"]?.clusterIP === "None";
    const ready =
      object && isHeadless ? headless(object, port) : endpoints(service.namespace ?? "default", service.name, port);
    if (ready === undefined) {
      throw new NoEndpointError(`service ${service.namespace}/${service.name} does not exist or has no port ${port}`);
    }
    if (ready.length === 0) throw new NoEndpointError(`service ${key} has no ready endpoint`);
    const turn = turns.get(key) ?? 0;
    turns.set(key, (turn + 1) % Number.MAX_SAFE_INTEGER);
    return ready[turn % ready.length];
  }

  return { endpoints, resolve: (host, port, namespace) => resolve(host, port, namespace, 0) };
}
