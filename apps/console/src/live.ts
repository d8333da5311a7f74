import { useEffect, useState } from "react";
import { type EventItem, events, type KubeItem, LoggedOut, watch } from "./api.js";

const RECONNECT_MS = 1_000;
const EVENTS_EVERY_MS = 2_000;

export interface Live<T> {
  readonly items: readonly T[];
  /** Undefined until the first answer. */
  readonly state: "loading" | "live" | "away";
}

const keyOf = (item: KubeItem) => `${item.metadata.namespace ?? ""}/${item.metadata.name}`;

export type Lists<R extends string> = Readonly<Record<R, Live<KubeItem>>>;

const everywhere = <R extends string>(resources: readonly R[], live: (resource: R) => Live<KubeItem>) =>
  Object.fromEntries(resources.map((resource) => [resource, live(resource)])) as Lists<R>;

/** All objects of some kinds, kept current over one connection; reconnects by itself. `resources` must stay the same array. */
export function useLive<R extends string>(resources: readonly R[], onLoggedOut: () => void): Lists<R> {
  const [lists, setLists] = useState(() => everywhere(resources, () => ({ items: [], state: "loading" })));
  useEffect(() => {
    const abort = new AbortController();
    const follow = async () => {
      const known = new Map<string, Map<string, KubeItem>>(resources.map((resource) => [resource, new Map()]));
      let painting = false;
      const paint = () => {
        if (painting) return;
        painting = true;
        requestAnimationFrame(() => {
          painting = false;
          if (abort.signal.aborted) return;
          const sorted = (resource: R) =>
            [...(known.get(resource)?.values() ?? [])].sort((a, b) => keyOf(a).localeCompare(keyOf(b)));
          setLists(everywhere(resources, (resource) => ({ items: sorted(resource), state: "live" })));
        });
      };
      const onItem = (resource: string, type: string, item: KubeItem) => {
        if (type === "DELETED") known.get(resource)?.delete(keyOf(item));
        else known.get(resource)?.set(keyOf(item), item);
        paint();
      };
      await watch(resources, { onOpen: paint, onItem }, abort.signal);
    };
    const run = async () => {
      while (!abort.signal.aborted) {
        try {
          await follow();
        } catch (error) {
          if (error instanceof LoggedOut) return onLoggedOut();
        }
        if (abort.signal.aborted) return;
        setLists((last) => everywhere(resources, (resource) => ({ ...last[resource], state: "away" })));
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
      }
    };
    void run();
    return () => abort.abort();
  }, [resources, onLoggedOut]);
  return lists;
}

/** The newest events, asked for every two seconds. */
export function useEvents(onLoggedOut: () => void): Live<EventItem> {
  const [live, setLive] = useState<Live<EventItem>>({ items: [], state: "loading" });
  useEffect(() => {
    const abort = new AbortController();
    const ask = async () => {
      try {
        setLive({ items: await events(abort.signal), state: "live" });
      } catch (error) {
        if (error instanceof LoggedOut) return onLoggedOut();
        if (!abort.signal.aborted) setLive((last) => ({ ...last, state: "away" }));
      }
    };
    void ask();
    const timer = setInterval(ask, EVENTS_EVERY_MS);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [onLoggedOut]);
  return live;
}
