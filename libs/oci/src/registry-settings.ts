/** How one registry is reached. */
export interface RegistrySettings {
  /** Asked before the registry itself, in order: `mirror.example.com`, or with scheme and path prefix. Only for reading. */
  readonly mirrors?: readonly string[];
  /** Plain HTTP. Loopback registries are tried over it anyway; any other needs this. */
  readonly plainHttp?: boolean;
  /** PEM of the authority of its certificate. */
  readonly ca?: string;
  /** Certificates are not verified. */
  readonly insecureSkipVerify?: boolean;
  /** Certificate and key, PEM, with which we show who we are. */
  readonly clientCertificate?: { readonly cert: string; readonly key: string };
  /** This machine's own addresses are refused: for registries that files name which others write. */
  readonly refuseLoopback?: boolean;
}

export type Registries = Readonly<Record<string, RegistrySettings>>;

/** Where a registry's requests go. */
export interface Endpoint {
  /** `https://registry.example.com/prefix`, without a slash at the end. */
  readonly base: string;
  /** The host whose credentials are used. */
  readonly host: string;
  readonly settings: RegistrySettings;
  readonly mirror: boolean;
}

const HUB_HOST = "registry-1.docker.io";

export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/i.test(host);

/** Mirrors first, then the registry itself; a `*` entry is for registries without one of their own. */
export function endpointsOf(registry: string, registries: Registries, write: boolean): readonly Endpoint[] {
  const settings = registries[registry] ?? registries["*"] ?? {};
  const own: Endpoint = {
    base: `${schemeOf(registry, settings)}://${registry === "docker.io" ? HUB_HOST : registry}`,
    host: registry,
    settings,
    mirror: false,
  };
  if (write) return [own];
  const mirrors = (settings.mirrors ?? []).map((text): Endpoint => {
    const host = text.replace(/^https?:\/\//, "").split("/")[0]!;
    const given = registries[host] ?? {};
    const base = /^https?:\/\//.test(text) ? text : `${schemeOf(host, given)}://${text}`;
    return { base: base.replace(/\/+$/, ""), host, settings: given, mirror: true };
  });
  return [...mirrors, own];
}

function schemeOf(host: string, settings: RegistrySettings): "http" | "https" {
  if (settings.plainHttp !== undefined) return settings.plainHttp ? "http" : "https";
  // A certificate authority says that it speaks TLS.
  return isLoopback(host) && settings.ca === undefined && !settings.insecureSkipVerify ? "http" : "https";
}
