import { createController, type RunningController } from "@tiphys/controller";
import { messageOf } from "@tiphys/errors";
import { planSensor } from "@tiphys/eventing";
import type { CacheChange } from "@tiphys/kube";
import { type EventBusObject, type EventSource, keyOf, keyText, type Sensor, types } from "@tiphys/resources";
import type { Service } from "@tiphys/service-host";
import { createSourceRunner, createWebhookHost, type SourceContext } from "@tiphys/sources";
import { createEventsApi, type EventsApi } from "./api.js";
import { createConsumers } from "./consumers.js";
import type { EventsGatewayDeps } from "./deps.js";
import { eventBusProblem, eventBusReconciler } from "./event-bus.js";
import { eventSourceReconciler, type SourcesPort } from "./event-source.js";
import { createIntake } from "./intake.js";
import { createMeters } from "./meters.js";
import { createRuns } from "./runs.js";
import { sensorReconciler, type TriggersPort } from "./sensor.js";
import { createTriggerRunner } from "./trigger-run.js";

/** One endpoint that is open now. */
export interface OpenEndpoint {
  readonly port: number;
  readonly endpoint: string;
  readonly method: string;
  /** `namespace/name` of the EventSource. */
  readonly eventSource: string;
}

export interface EventsGateway extends Service {
  readonly api: EventsApi;
  endpoints(): readonly OpenEndpoint[];
  /** Its controllers, for `explain`. */
  readonly controllers: readonly RunningController[];
}

/** Listens for events, stores them on the bus and runs the triggers of Sensors on them: all in this process. */
export function createEventsGateway(deps: EventsGatewayDeps): EventsGateway {
  const { informers, clock, log, bus } = deps;
  const meters = createMeters(deps.metrics);
  const runs = createRuns(deps.state);
  const runner = createTriggerRunner(deps, runs, meters);
  const consumers = createConsumers(deps, runs, runner);
  const host = createWebhookHost({ host: deps.listenHost ?? "127.0.0.1", clock, log });
  const sources = createSourceRunner(host);
  const intake = createIntake(deps, meters);
  const eventSources = informers.informer(types.eventSources);
  const sensors = informers.informer(types.sensors);
  const buses = informers.informer(types.eventBuses);

  const busOf = (object: EventSource | Sensor) => object.spec?.eventBusName || "default";
  const busProblem = (object: EventSource | Sensor) => {
    const found = buses.get({ namespace: object.metadata.namespace, name: busOf(object) } as { name: string });
    const problem = found && eventBusProblem(found as EventBusObject);
    return problem && `EventBus ${busOf(object)}: ${problem}`;
  };

  const listening = new Map<string, { digest: string; problems: ReadonlyMap<string, string> }>();
  const sourcesPort: SourcesPort = {
    busProblem,
    running: (object) => listening.get(keyText(keyOf(object))),
    async run(object, events, digest) {
      const owner = keyText(keyOf(object));
      const { namespace = "", name, annotations = {} } = object.metadata;
      const context: SourceContext = {
        namespace,
        eventSource: name,
        annotations,
        clock,
        random: deps.random,
        log,
        secret: runner.secretOf(namespace),
        deliver: (delivery) => intake(namespace, busOf(object), delivery),
      };
      const problems = await sources.apply(owner, events, context);
      listening.set(owner, { digest, problems });
      meters.running.set(events.length - problems.size, { namespace, eventsource_name: name });
      return problems;
    },
  };

  const consuming = new Map<string, string>();
  const triggersPort: TriggersPort = {
    busProblem,
    running: (object) => consuming.get(keyText(keyOf(object))),
    async run(object, plan, digest) {
      await consumers.apply({ key: keyOf(object), uid: object.metadata.uid ?? "" }, plan);
      consuming.set(keyText(keyOf(object)), digest);
    },
  };

  const sameNamespace = (kind: typeof eventSources) => (change: CacheChange) =>
    kind.list(change.object.metadata.namespace).map(keyOf);
  const common = {
    informers,
    clock,
    log,
    journal: deps.journal,
    metrics: deps.metrics,
    ...(deps.tracer ? { tracer: deps.tracer } : {}),
    statusSubresource: true,
    ...(deps.owns ? { owns: deps.owns } : {}),
    ...(deps.killPoint ? { killPoint: deps.killPoint } : {}),
  };
  const controllers = [
    createController({ ...common, name: "eventbuses", resource: types.eventBuses, reconciler: eventBusReconciler }),
    createController({
      ...common,
      name: "sensors",
      resource: types.sensors,
      reconciler: sensorReconciler(triggersPort),
      watches: [{ resource: types.eventBuses, keys: sameNamespace(sensors) }],
    }),
    createController({
      ...common,
      name: "eventsources",
      resource: types.eventSources,
      reconciler: eventSourceReconciler(sourcesPort),
      watches: [{ resource: types.eventBuses, keys: sameNamespace(eventSources) }],
    }),
  ] as unknown as RunningController[];

  /** An object that is gone has no pass of its own any more. */
  const dropDeleted = () => [
    eventSources.onChange(({ type, object }) => {
      if (type !== "deleted") return;
      listening.delete(keyText(keyOf(object)));
      meters.running.remove({ namespace: object.metadata.namespace ?? "", eventsource_name: object.metadata.name });
      void clock.track(sources.remove(keyText(keyOf(object))));
    }),
    sensors.onChange(({ type, object }) => {
      if (type !== "deleted") return;
      consuming.delete(keyText(keyOf(object)));
      void clock.track(consumers.remove(keyOf(object)));
    }),
  ];

  let unsubscribe: (() => void)[] = [];
  let state: "new" | "running" | "stopped" = "new";

  return {
    name: "events-gateway",
    api: createEventsApi(bus, runs, consumers),
    controllers,
    endpoints: () =>
      host
        .served()
        .map(({ owner, route: { port, endpoint, method } }) => ({ port, endpoint, method, eventSource: owner })),
    async start() {
      await Promise.all([runner.ready(), buses.synced, sensors.synced, eventSources.synced]);
      unsubscribe = dropDeleted();
      // Sensors that exist consume before the first event can come in: a new trigger starts at the end of the stream.
      for (const object of sensors.list()) {
        if (busProblem(object as Sensor) || object.metadata.deletionTimestamp) continue;
        const identity = { key: keyOf(object), uid: object.metadata.uid ?? "" };
        await consumers.apply(identity, planSensor(object as Sensor)).catch((error: unknown) => {
          log.warn("sensor does not consume yet", { sensor: keyText(keyOf(object)), error: messageOf(error) });
        });
      }
      for (const controller of controllers) await controller.start();
      state = "running";
    },
    async stop() {
      if (state === "stopped") return;
      state = "stopped";
      for (const end of unsubscribe) end();
      // No new events, no new passes, then the runs in hand.
      for (const controller of controllers) await controller.stop();
      await sources.close();
      await consumers.close();
    },
    async ready() {
      if (state !== "running") return `the events gateway is ${state}`;
      return controllers.map((controller) => controller.ready()).find((reason) => reason !== undefined);
    },
  };
}
