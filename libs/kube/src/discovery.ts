import { apiVersionOf, groupVersionOf, type ResourceType } from "@tiphys/resources";
import { statusError } from "./errors.js";
import { isNotFound } from "./predicates.js";
import type { HttpCall, Transport } from "./transport.js";

const AGGREGATED = ["v2", "v2beta1"]
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .concat("application/json")
  .join(",");

/** A served type, whether it can be listed, and whether its version is the group's preferred one. */
interface Served {
  readonly type: ResourceType;
  readonly listable: boolean;
  readonly preferred: boolean;
}

interface Part {
  readonly etag?: string;
  readonly served: readonly Served[];
}

/** What a server serves, remembered; asks again for kinds not seen yet, and with ETags so that no news is cheap. */
export class Discovery {
  readonly #parts = new Map<string, Part>();
  #asking: Promise<void> | undefined;

  constructor(private readonly transport: Transport) {}

  async resourceFor(apiVersion: string, kind: string): Promise<ResourceType> {
    const known = this.#find(apiVersion, kind);
    if (known) return known;
    await this.#refresh();
    const found = this.#find(apiVersion, kind);
    if (found) return found;
    const { group } = groupVersionOf(apiVersion);
    throw statusError(404, "NotFound", `no matches for kind "${kind}" in version "${apiVersion}"`, { group, kind });
  }

  async resources(): Promise<readonly ResourceType[]> {
    await this.#refresh();
    return this.#all()
      .filter((served) => served.listable && served.preferred)
      .map((served) => served.type);
  }

  /** Every served type, in all its versions. */
  async types(): Promise<readonly ResourceType[]> {
    await this.#refresh();
    return this.#all().map((served) => served.type);
  }

  #all(): Served[] {
    return [...this.#parts.values()].flatMap((part) => part.served);
  }

  #find(apiVersion: string, kind: string): ResourceType | undefined {
    for (const { type } of this.#all()) if (type.kind === kind && apiVersionOf(type) === apiVersion) return type;
    return undefined;
  }

  #refresh(): Promise<void> {
    this.#asking ??= Promise.all([this.#part("/api"), this.#part("/apis")])
      .then(() => {})
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }

  async #part(path: "/api" | "/apis"): Promise<void> {
    const known = this.#parts.get(path);
    const answer = await this.transport.call({
      method: "GET",
      path,
      accept: AGGREGATED,
      ...(known?.etag ? { headers: { "if-none-match": known.etag } } : {}),
    });
    if (answer.status === 304) return;
    const body = JSON.parse(answer.text);
    const etag = answer.headers.etag;
    const served = body.kind === "APIGroupDiscoveryList" ? fromAggregated(body) : await this.#oneByOne(path, body);
    this.#parts.set(path, { served, ...(etag && body.kind === "APIGroupDiscoveryList" ? { etag } : {}) });
  }

  /** Servers without aggregated discovery: one request per group and version. */
  // biome-ignore lint/suspicious/noExplicitAny: a discovery document of any server
  async #oneByOne(path: string, body: any): Promise<Served[]> {
    const versions: { path: string; group: string; version: string; preferred: boolean }[] = [];
    if (path === "/api") {
      for (const version of body.versions ?? []) {
        versions.push({ path: `/api/${version}`, group: "", version, preferred: true });
      }
    } else {
      for (const group of body.groups ?? []) {
        for (const { groupVersion, version } of group.versions ?? []) {
          const preferred = group.preferredVersion?.version === version;
          versions.push({ path: `/apis/${groupVersion}`, group: group.name, version, preferred });
        }
      }
    }
    const lists = await Promise.all(
      versions.map(async ({ path: at, group, version, preferred }) => {
        const call: HttpCall = { method: "GET", path: at };
        const list = await this.transport.call(call).then(
          (answer) => JSON.parse(answer.text),
          (error) => {
            // A group that went away in between, or whose own server is down, does not hide the others.
            if (isNotFound(error) || error?.status?.code === 503) return { resources: [] };
            throw error;
          },
        );
        return (list.resources ?? [])
          .filter((item: { name: string }) => !item.name.includes("/"))
          .map(
            (item: { name: string; kind: string; namespaced: boolean; verbs?: string[] }): Served => ({
              type: Object.freeze({
                group,
                version,
                resource: item.name,
                kind: item.kind,
                namespaced: item.namespaced,
              }),
              listable: item.verbs?.includes("list") ?? false,
              preferred,
            }),
          );
      }),
    );
    return onePreferredEach(lists.flat());
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a discovery document of any server
function fromAggregated(body: any): Served[] {
  const served: Served[] = [];
  for (const item of body.items ?? []) {
    const group = item.metadata?.name ?? "";
    (item.versions ?? []).forEach((entry: { version: string; resources?: unknown[] }, position: number) => {
      // biome-ignore lint/suspicious/noExplicitAny: a discovery document of any server
      for (const resource of (entry.resources ?? []) as any[]) {
        served.push({
          type: Object.freeze({
            group,
            version: entry.version,
            resource: resource.resource,
            kind: resource.responseKind?.kind ?? "",
            namespaced: resource.scope === "Namespaced",
          }),
          listable: resource.verbs?.includes("list") ?? false,
          preferred: position === 0,
        });
      }
    });
  }
  return onePreferredEach(served);
}

/** A resource that the preferred version of its group lacks is preferred where it comes first. */
function onePreferredEach(served: readonly Served[]): Served[] {
  const name = ({ type }: Served) => `${type.group}/${type.resource}`;
  const settled = new Set(served.filter((item) => item.preferred).map(name));
  return served.map((item) => {
    if (item.preferred || settled.has(name(item))) return item;
    settled.add(name(item));
    return { ...item, preferred: true };
  });
}
