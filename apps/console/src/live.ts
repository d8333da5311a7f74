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

/** All objects of a resource, kept current; reconnects by itself. */
export function useLive(resource: string, onLoggedOut: () => void): Live<KubeItem> {
  const [live, setLive] = useState<Live<KubeItem>>({ items: [], state: "loading" });
  useEffect(() => {
    const abort = new AbortController();
    const run = async () => {
      while (!abort.signal.aborted) {
        const known = new Map<string, KubeItem>();
        let painting = false;
        const paint = () => {
          painting = false;
          const items = [...known.values()].sort((a, b) => keyOf(a).localeCompare(keyOf(b)));
          setLive({ items, state: "live" });
        };
        try {
          setTimeout(() => !abort.signal.aborted && known.size === 0 && paint(), 300);
          await watch(
            resource,
            (type, item) => {
              if (type === "DELETED") known.delete(keyOf(item));
              else known.set(keyOf(item), item);
              if (!painting) {
                painting = true;
                requestAnimationFrame(paint);
              }
            },
            abort.signal,
          );
        } catch (error) {
          if (error instanceof LoggedOut) return onLoggedOut();
        }
        if (abort.signal.aborted) return;
        setLive((last) => ({ ...last, state: "away" }));
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
      }
    };
    void run();
    return () => abort.abort();
  }, [resource, onLoggedOut]);
  return live;
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
