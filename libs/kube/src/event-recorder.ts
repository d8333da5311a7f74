import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import { CHANGE_ANNOTATION, type RandomBytes } from "@tiphys/identity";
import { type KubeObject, keyText, types } from "@tiphys/resources";
import type { Logger } from "@tiphys/telemetry";
import type { KubeClient } from "./client.js";

export interface EventRecorderDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  /** Who reports, as `kubectl describe` shows it. */
  readonly component: string;
  /** Name in managedFields; absent: as the client is called. */
  readonly fieldManager?: string;
}

/** Tells users what has happened to an object, as Kubernetes Events. */
export interface EventRecorder {
  /** Best effort and without waiting: a lost event must not fail the work it tells of. Repetitions raise a count. */
  event(regarding: KubeObject, type: "Normal" | "Warning", reason: string, message: string): void;
  /** Resolves when what was told so far is written. */
  flush(): Promise<void>;
}

/** Events whose repetitions are still recognised. */
const REMEMBERED = 1000;
/** The API server refuses longer messages. */
const LONGEST_MESSAGE = 1024;

export function createEventRecorder(deps: EventRecorderDeps): EventRecorder {
  const { client, clock, random, log, component } = deps;
  const options = deps.fieldManager === undefined ? {} : { fieldManager: deps.fieldManager };
  const told = new Map<string, { name: string; count: number }>();
  let last: Promise<void> = Promise.resolve();

  async function write(regarding: KubeObject, type: string, reason: string, text: string): Promise<void> {
    const now = clock
      .now()
      .toISOString()
      .replace(/\.\d+Z$/, "Z");
    const message = text.length > LONGEST_MESSAGE ? `${text.slice(0, LONGEST_MESSAGE - 1)}…` : text;
    const namespace = regarding.metadata.namespace ?? "default";
    const same = JSON.stringify([regarding.metadata.uid, type, reason, message]);
    const known = told.get(same);
    if (known) {
      known.count++;
      const body = { count: known.count, lastTimestamp: now };
      await client.patch(types.events, { namespace, name: known.name }, { type: "merge", body }, options);
      return;
    }
    const name = `${regarding.metadata.name.slice(0, 200)}.${Buffer.from(random(8)).toString("hex")}`;
    told.set(same, { name, count: 1 });
    if (told.size > REMEMBERED) told.delete(told.keys().next().value as string);
    const change = regarding.metadata.annotations?.[CHANGE_ANNOTATION];
    const event: KubeObject = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace, ...(change ? { annotations: { [CHANGE_ANNOTATION]: change } } : {}) },
      involvedObject: {
        apiVersion: regarding.apiVersion,
        kind: regarding.kind,
        name: regarding.metadata.name,
        ...(regarding.metadata.namespace ? { namespace: regarding.metadata.namespace } : {}),
        uid: regarding.metadata.uid,
        resourceVersion: regarding.metadata.resourceVersion,
      },
      type,
      reason,
      message,
      source: { component },
      reportingComponent: component,
      reportingInstance: "",
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    await client.create(types.events, event, options);
  }

  return {
    event(regarding, type, reason, message) {
      const writing = clock.track(write(regarding, type, reason, message)).catch((error: unknown) => {
        log.debug("event not written", {
          object: `${regarding.kind} ${keyText(regarding.metadata)}`,
          reason,
          problem: messageOf(error),
        });
      });
      last = Promise.all([last, writing]).then(() => {});
    },
    flush: () => last,
  };
}
