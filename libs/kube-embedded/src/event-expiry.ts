import type { Clock } from "@tiphys/clock";
import type { Store } from "./store/store.js";

const EVENTS = "/events";
/** How long an Event is kept after its last change, as the real server does by default. */
const LIFE_MS = 3_600_000;

/** Forgets Events an hour after their last change. One timer, for the one that goes first. */
export class EventExpiry {
  /** Key → when it goes; the order is that of the times, because a change puts an Event last. */
  private readonly ends = new Map<string, { at: number; namespace: string | undefined; name: string }>();
  private disarm: (() => void) | undefined;
  private readonly unobserve: () => void;

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
  ) {
    const found = [...store.keys(EVENTS)].flatMap((key) => store.byKey(EVENTS, key) ?? []);
    const last = (event: (typeof found)[number]): number => {
      const { lastTimestamp, eventTime, metadata } = event;
      return Date.parse(lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? "") || 0;
    };
    for (const event of found.sort((a, b) => last(a) - last(b))) this.keep(event.metadata, last(event));
    this.unobserve = store.observe(({ type, collection, object }) => {
      if (collection !== EVENTS) return;
      if (type === "DELETED") this.ends.delete(keyOf(object.metadata));
      else this.keep(object.metadata, this.clock.now().getTime());
    });
    this.arm();
  }

  stop(): void {
    this.unobserve();
    this.disarm?.();
  }

  private keep({ namespace, name }: { namespace?: string; name: string }, since: number): void {
    const key = keyOf({ ...(namespace ? { namespace } : {}), name });
    this.ends.delete(key);
    this.ends.set(key, { at: since + LIFE_MS, namespace, name });
    if (!this.disarm) this.arm();
  }

  private arm(): void {
    this.disarm?.();
    this.disarm = undefined;
    const first = this.ends.values().next().value;
    if (!first) return;
    this.disarm = this.clock.at(new Date(first.at), () => this.sweep());
  }

  private sweep(): void {
    this.disarm = undefined;
    const now = this.clock.now().getTime();
    for (const [key, { at, namespace, name }] of this.ends) {
      if (at > now) break;
      this.ends.delete(key);
      const event = this.store.get(EVENTS, namespace, name);
      if (event) this.store.remove(EVENTS, event);
    }
    this.arm();
  }
}

const keyOf = ({ namespace = "", name }: { namespace?: string; name: string }): string => `${namespace}/${name}`;
