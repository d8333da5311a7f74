import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import type { KubeObject } from "@tiphys/resources";
import { timestamp } from "./api/names.js";
import type { Parts } from "./api/parts.js";
import { rewrite } from "./api/writes.js";
import { RepeatedWork } from "./repeated-work.js";

const FLOW_SCHEMAS = "flowcontrol.apiserver.k8s.io/flowschemas";
const PRIORITY_LEVELS = "flowcontrol.apiserver.k8s.io/prioritylevelconfigurations";
const API_SERVICES = "apiregistration.k8s.io/apiservices";
const SERVICES = "/services";

interface Condition {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

/** Tells on FlowSchemas and APIServices, as an API server itself does, whether what they refer to is there. */
export class SystemConditions {
  private readonly work: RepeatedWork;
  private readonly unobserve: () => void;

  constructor(
    private readonly parts: Parts,
    clock: Clock,
  ) {
    this.work = new RepeatedWork(clock, () => this.run());
    const watched = new Set([FLOW_SCHEMAS, PRIORITY_LEVELS, API_SERVICES]);
    this.unobserve = parts.store.observe(({ collection }) => {
      // Services change often; they matter only to those who registered an API.
      if (watched.has(collection) || (collection === SERVICES && parts.store.keys(API_SERVICES).length > 0)) {
        this.work.wake();
      }
    });
    this.work.wake();
  }

  async stop(): Promise<void> {
    this.unobserve();
    await this.work.stop();
  }

  private run(): void {
    try {
      this.tell(FLOW_SCHEMAS, (flow) => this.dangling(flow));
      this.tell(API_SERVICES, (service) => this.available(service));
    } catch (error) {
      this.parts.log.warn("conditions of system objects are not written", { error: messageOf(error) });
    }
  }

  private tell(collection: string, conditionOf: (object: KubeObject) => Condition): void {
    const { store, kinds, clock } = this.parts;
    const kind = kinds.ofCollection(collection);
    if (!kind) return;
    for (const key of [...store.keys(collection)]) {
      const object = store.byKey(collection, key);
      if (!object || object.metadata.deletionTimestamp) continue;
      const wanted = conditionOf(object);
      const conditions: (Condition & { lastTransitionTime: string })[] = object["status"]?.conditions ?? [];
      const known = conditions.find(({ type }) => type === wanted.type);
      if (known && known.status === wanted.status && known.reason === wanted.reason && known.message === wanted.message)
        continue;
      const lastTransitionTime = known?.status === wanted.status ? known.lastTransitionTime : timestamp(clock.now());
      const { type, status, reason, message } = wanted;
      const told = { type, status, lastTransitionTime, reason, message };
      rewrite(this.parts, kind, object, (draft) => {
        const others = conditions.filter((one) => one !== known);
        draft["status"] = { ...draft["status"], conditions: [...others, told] };
      });
    }
  }

  private dangling(flow: KubeObject): Condition {
    const level: string = flow["spec"]?.priorityLevelConfiguration?.name ?? "";
    const isThere = this.parts.store.get(PRIORITY_LEVELS, undefined, level) !== undefined;
    const reference = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
    return isThere
      ? { type: "Dangling", status: "False", reason: "Found", message: `${reference} and it exists` }
      : { type: "Dangling", status: "True", reason: "NotFound", message: `${reference} but there is no such object` };
  }

  private available({ spec }: KubeObject): Condition {
    const type = "Available";
    if (!spec?.service)
      return { type, status: "True", reason: "Local", message: "Local APIServices are always available" };
    const { namespace = "", name = "" } = spec.service;
    if (!this.parts.store.get(SERVICES, namespace, name)) {
      const message = `service/${name} in ${JSON.stringify(namespace)} is not present`;
      return { type, status: "False", reason: "ServiceNotFound", message };
    }
    const message = "requests are not passed on to other API servers yet: see docs/compatibility.md";
    return { type, status: "False", reason: "NotImplemented", message };
  }
}
