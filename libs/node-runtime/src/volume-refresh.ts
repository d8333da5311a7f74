import { join } from "node:path";
import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import type { KubeObject } from "@tiphys/resources";
import type { Logger } from "@tiphys/telemetry";
import { writeAtomic } from "./atomic-files.js";
import type { ObjectWatch } from "./object-watch.js";
import { contentOf, isDataVolume, referencesOf, showsPod, type Volume, type VolumeSources } from "./volume-content.js";
import { fsGroupOf } from "./volumes.js";

/** Keeps a running pod's files as their ConfigMaps, Secrets, tokens and labels are. */
export interface VolumeRefresh {
  /** The pod object has changed: files that show its labels or annotations may have to. */
  podChanged(): void;
  stop(): Promise<void>;
}

export interface VolumeRefreshDeps {
  readonly pod: () => KubeObject;
  readonly dir: string;
  readonly sources: (pod: KubeObject) => VolumeSources;
  readonly facts: { readonly podIP: string; readonly hostIP: string };
  readonly objects: ObjectWatch;
  readonly clock: Clock;
  readonly log: Logger;
  /** The soonest end of a token in each volume, milliseconds since 1970. */
  readonly ends: ReadonlyMap<string, number>;
}

/** A token is renewed when this part of its life is over, as kubelets do. */
const RENEW_AT = 0.8;
/** A token that lives long is renewed once a day all the same. */
const LONGEST_RENEW_MS = 24 * 3600_000;
/** After a failure; soon enough for a token, rare enough for an API that is away. */
const AGAIN_MS = 30_000;

export function startVolumeRefresh(deps: VolumeRefreshDeps): VolumeRefresh {
  const { clock, log, objects } = deps;
  const volumes = ((deps.pod()["spec"]?.volumes ?? []) as Volume[]).filter(isDataVolume);
  const stops: (() => void)[] = [];
  const timers = new Map<string, () => void>();
  let stopped = false;
  let work: Promise<void> = Promise.resolve();

  const renewLater = (volume: Volume, expiresAt: number | undefined) => {
    if (expiresAt === undefined || stopped) return;
    const now = clock.now().getTime();
    const life = Math.max(0, expiresAt - now);
    at(volume, now + Math.min(life * RENEW_AT, LONGEST_RENEW_MS));
  };
  const at = (volume: Volume, when: number) => {
    timers.get(volume.name)?.();
    timers.set(
      volume.name,
      clock.at(new Date(when), () => refresh(volume)),
    );
  };

  function refresh(volume: Volume): void {
    if (stopped) return;
    work = work.then(async () => {
      if (stopped) return;
      const pod = deps.pod();
      const group = fsGroupOf(pod);
      try {
        const { files, expiresAt } = await contentOf(pod, volume, deps.sources(pod), deps.facts);
        const changed = await writeAtomic(
          join(deps.dir, volume.name),
          files,
          clock.now(),
          group === undefined ? {} : { group },
        );
        if (changed) log.debug("mounted files are renewed", { volume: volume.name });
        renewLater(volume, expiresAt);
      } catch (error) {
        // What is there stays: an object that is deleted does not take its files from a running pod.
        log.debug("mounted files are not renewed", { volume: volume.name, error: messageOf(error) });
        if (timers.has(volume.name)) at(volume, clock.now().getTime() + AGAIN_MS);
      }
    });
  }

  const namespace = deps.pod().metadata.namespace ?? "default";
  for (const volume of volumes) {
    for (const reference of referencesOf(volume)) stops.push(objects.on(namespace, reference, () => refresh(volume)));
    renewLater(volume, deps.ends.get(volume.name));
  }
  return {
    podChanged() {
      for (const volume of volumes) if (showsPod(volume)) refresh(volume);
    },
    async stop() {
      stopped = true;
      for (const stop of stops) stop();
      for (const cancel of timers.values()) cancel();
      await work;
    },
  };
}
