// biome-ignore-all lint/suspicious/noExplicitAny: rows are made of objects that were checked against their schemas when they were stored
import { ageOf, columns, labelsText, type Printer, selectorText } from "./parts.js";

function externalIps({ spec, status }: any, wide: boolean): string {
  const own: string[] = spec.externalIPs ?? [];
  const balancer: string[] = (status?.loadBalancer?.ingress ?? []).map((one: any) => one.ip || one.hostname);
  switch (spec.type) {
    case "LoadBalancer": {
      const all = [...balancer, ...own];
      if (all.length === 0) return "<pending>";
      const text = all.join(",");
      return wide || text.length <= 16 ? text : `${text.slice(0, 13)}...`;
    }
    case "ExternalName":
      return spec.externalName ?? "";
    default:
      return own.length > 0 ? own.join(",") : "<none>";
  }
}

const servicePorts = (ports: any[] = []): string =>
  ports.length === 0
    ? "<none>"
    : ports
        .map(({ port, nodePort, protocol = "TCP" }) => `${port}${nodePort ? `:${nodePort}` : ""}/${protocol}`)
        .join(",");

export const servicePrinter: Printer = {
  columns: columns("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "Selector*"),
  row(object, now) {
    const spec = object["spec"] ?? {};
    return [
      object.metadata.name,
      spec.type ?? "",
      spec.clusterIPs?.[0] || spec.clusterIP || "<none>",
      externalIps(object as any, true),
      servicePorts(spec.ports),
      ageOf(object, now),
      labelsText(spec.selector),
    ];
  },
};

export const endpointSlicePrinter: Printer = {
  columns: columns("Name", "AddressType", "Ports", "Endpoints", "Age"),
  row: (object, now) => [
    object.metadata.name,
    object["addressType"] ?? "",
    some((object["ports"] ?? []).map(({ port, name }: any) => String(port ?? (name || "*")))),
    some((object["endpoints"] ?? []).flatMap(({ addresses = [] }: any) => addresses)),
    ageOf(object, now),
  ],
};

/** Up to three of a list. */
function some(list: string[]): string {
  if (list.length === 0) return "<unset>";
  return list.length <= 3 ? list.join(",") : `${list.slice(0, 3).join(",")} + ${list.length - 3} more...`;
}

export const endpointsPrinter: Printer = {
  columns: columns("Name", "Endpoints", "Age"),
  row(object, now) {
    const all: string[] = (object["subsets"] ?? []).flatMap(({ addresses = [], ports = [] }: any) =>
      ports.length === 0
        ? addresses.map(({ ip }: any) => ip)
        : ports.flatMap(({ port }: any) => addresses.map(({ ip }: any) => `${ip}:${port}`)),
    );
    const shown = all.length <= 3 ? all.join(",") : `${all.slice(0, 3).join(",")} + ${all.length - 3} more...`;
    return [object.metadata.name, object["subsets"]?.length ? shown : "<none>", ageOf(object, now)];
  },
};

export const ingressPrinter: Printer = {
  columns: columns("Name", "Class", "Hosts", "Address", "Ports", "Age"),
  row(object, now) {
    const { spec = {}, status = {} } = object as any;
    const hosts: string[] = (spec.rules ?? []).map(({ host }: any) => host).filter(Boolean);
    const shown = hosts.length <= 3 ? hosts.join(",") : `${hosts.slice(0, 3).join(",")} + ${hosts.length - 3} more...`;
    return [
      object.metadata.name,
      spec.ingressClassName ?? "<none>",
      shown || "*",
      (status.loadBalancer?.ingress ?? []).map((one: any) => one.ip || one.hostname).join(","),
      spec.tls?.length ? "80, 443" : "80",
      ageOf(object, now),
    ];
  },
};

export const ingressClassPrinter: Printer = {
  columns: columns("Name", "Controller", "Parameters", "Age"),
  row(object, now) {
    const { apiGroup, kind, name } = object["spec"]?.parameters ?? {};
    const parameters = name ? `${kind}${apiGroup ? `.${apiGroup}` : ""}/${name}` : "<none>";
    return [object.metadata.name, object["spec"]?.controller ?? "", parameters, ageOf(object, now)];
  },
};

export const networkPolicyPrinter: Printer = {
  columns: columns("Name", "Pod-Selector", "Age"),
  row: (object, now) => [object.metadata.name, selectorText(object["spec"]?.podSelector), ageOf(object, now)],
};
