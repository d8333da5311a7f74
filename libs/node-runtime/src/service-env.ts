import type { KubeObject } from "@tiphys/resources";

const upper = (text: string): string => text.toUpperCase().replaceAll("-", "_");

interface Port {
  name?: string;
  port: number;
  protocol?: string;
}

/**
 * The variables by which a container finds the Services of its namespace that existed before it, and `kubernetes` of
 * `default` always; the same names as docker's links.
 */
export function serviceEnv(pod: KubeObject, services: readonly KubeObject[]): Record<string, string> {
  const links = pod["spec"]?.enableServiceLinks !== false;
  const env: Record<string, string> = {};
  const own = services.filter(({ metadata }) => links && metadata.namespace === pod.metadata.namespace);
  const master = services.filter(({ metadata }) => metadata.namespace === "default" && metadata.name === "kubernetes");
  for (const service of [...master, ...own].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    const ip: string | undefined = service["spec"]?.clusterIP;
    const ports: Port[] = service["spec"]?.ports ?? [];
    const [first] = ports;
    if (!ip || ip === "None" || !first) continue;
    const name = upper(service.metadata.name);
    env[`${name}_SERVICE_HOST`] = ip;
    env[`${name}_SERVICE_PORT`] = String(first.port);
    for (const port of ports) if (port.name) env[`${name}_SERVICE_PORT_${upper(port.name)}`] = String(port.port);
    const host = ip.includes(":") ? `[${ip}]` : ip;
    ports.forEach(({ port, protocol = "TCP" }, i) => {
      const url = `${protocol.toLowerCase()}://${host}:${port}`;
      if (i === 0) env[`${name}_PORT`] = url;
      const prefix = `${name}_PORT_${port}_${protocol.toUpperCase()}`;
      env[prefix] = url;
      env[`${prefix}_PROTO`] = protocol.toLowerCase();
      env[`${prefix}_PORT`] = String(port);
      env[`${prefix}_ADDR`] = ip;
    });
  }
  return env;
}
