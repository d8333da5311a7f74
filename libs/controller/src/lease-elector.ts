import { type Clock, sleep } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import { isAlreadyExists, isConflict, isNotFound, type KubeClient } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import type { Logger } from "@tiphys/telemetry";

export interface LeaseElectorOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** Unique per process. */
  readonly identity: string;
  readonly namespace: string;
  /** Name of the Lease. */
  readonly name: string;
  /** How long a holder that says nothing keeps the lease, in seconds. */
  readonly leaseSeconds?: number;
  /** Called whenever `leads` changes. */
  readonly onChange?: (leads: boolean) => void;
}

export interface LeaseElector {
  start(): void;
  /** Gives the lease back, so that another need not wait for its end. */
  stop(): Promise<void>;
  /** True while the lease is ours for certain. */
  leads(): boolean;
}

const LEASE_SECONDS = 15;

/**
 * One leader by a coordination.k8s.io Lease. A holder's silence is measured on our own clock from when we saw its last
 * renewal, so clocks that differ do no harm; we stop leading before others may start.
 */
export function createLeaseElector(options: LeaseElectorOptions): LeaseElector {
  const { client, clock, identity, namespace, name } = options;
  const log = options.log.with({ lease: `${namespace}/${name}` });
  const duration = (options.leaseSeconds ?? LEASE_SECONDS) * 1000;
  const key = { namespace, name };
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  /** Until when, on the monotonic clock, we may call ourselves leader. */
  let until = 0;
  let told = false;
  let seen: { renewal: string; at: number } | undefined;
  let takeBack = () => {};

  const leads = () => clock.monotonic() < until;
  const tell = () => {
    if (told === leads()) return;
    told = leads();
    log.info(told ? "leads" : "leads no longer");
    options.onChange?.(told);
  };
  /** Leadership ends a third early, whatever happens to the next renewal. */
  const won = (from: number) => {
    until = from + (duration * 2) / 3;
    takeBack();
    takeBack = clock.at(new Date(clock.now().getTime() + Math.max(0, until - clock.monotonic())), tell);
    tell();
  };

  const spec = (lease: KubeObject | undefined) => {
    const now = clock.now().toISOString().replace("Z", "000Z");
    const mine = lease?.spec?.holderIdentity === identity;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: duration / 1000,
      acquireTime: mine ? lease?.spec.acquireTime : now,
      renewTime: now,
      leaseTransitions: (lease?.spec?.leaseTransitions ?? 0) + (mine || !lease ? 0 : 1),
    };
  };

  async function attempt(): Promise<void> {
    const from = clock.monotonic();
    let lease: KubeObject | undefined;
    try {
      lease = await client.get(types.leases, key, { signal: stopping.signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    if (!lease) {
      const object = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: key, spec: spec(undefined) };
      await client.create(types.leases, object, { signal: stopping.signal });
      return won(from);
    }
    const holder: string = lease.spec?.holderIdentity ?? "";
    if (holder !== "" && holder !== identity) {
      const renewal = `${holder} ${lease.spec?.renewTime ?? ""}`;
      if (seen?.renewal !== renewal) seen = { renewal, at: from };
      const patience = (lease.spec?.leaseDurationSeconds ?? duration / 1000) * 1000;
      if (clock.monotonic() - seen.at < patience) return;
    }
    await client.replace(types.leases, { ...lease, spec: spec(lease) }, { signal: stopping.signal });
    won(from);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await clock.track(attempt());
      } catch (error) {
        // Somebody was faster: the next look shows who.
        const lost = isConflict(error) || isAlreadyExists(error);
        if (!lost && !stopping.signal.aborted) log.warn("lease not renewed", { problem: messageOf(error) });
      }
      tell();
      await sleep(clock, duration / 5, stopping.signal).catch(() => {});
    }
  }

  return {
    leads,
    start() {
      running = run();
    },
    async stop() {
      stopping.abort();
      await running;
      takeBack();
      if (!leads()) return;
      until = 0;
      tell();
      const lease = await client.get(types.leases, key).catch(() => undefined);
      if (lease?.spec?.holderIdentity !== identity) return;
      await client
        .replace(types.leases, { ...lease, spec: { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 } })
        .catch((error: unknown) => log.warn("lease not given back", { problem: messageOf(error) }));
    },
  };
}
