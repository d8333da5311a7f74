import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import { LAST_USED_LABEL, lastUsedDay } from "@tiphys/kube-access";
import type { KubeObject } from "@tiphys/resources";
import type { Parts, WriteContext } from "../api/parts.js";
import { admitCreate, commitUpdate } from "../api/writes.js";

const SECRETS = "/secrets";
const MAPS = "/configmaps";
const HOME = "kube-system";
const TRACKING = "kube-apiserver-legacy-service-account-token-tracking";
/** Who deletes the ConfigMap waits so long for the next one, as on the real server. */
const BETWEEN_MS = 30 * 60_000;

const CONTEXT: WriteContext = {
  principal: { username: "system:apiserver", groups: ["system:masters"] },
  manager: "kube-apiserver",
  fieldValidation: "Ignore",
  dryRun: false,
  warn: () => undefined,
};

const day = (now: Date): string => now.toISOString().slice(0, 10);
const isDay = (text: unknown): boolean =>
  typeof text === "string" && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));

/**
 * Writes down on Secrets when their tokens are used, at most once a day, and in a ConfigMap since when that is done, so that a
 * Secret without the label can be told from one that nobody has looked at.
 */
export class LegacyTokens {
  private made: number | undefined;
  private cancel: (() => void) | undefined;
  private readonly unobserve: () => void;

  constructor(
    private readonly parts: Parts,
    private readonly clock: Clock,
  ) {
    this.unobserve = parts.store.observe(({ collection, object: { metadata } }) => {
      if (collection === MAPS && metadata.name === TRACKING && metadata.namespace === HOME) this.wake(0);
    });
    this.track();
  }

  stop(): void {
    this.unobserve();
    this.cancel?.();
  }

  readonly used = (namespace: string, name: string): void => {
    const { store, kinds } = this.parts;
    const kind = kinds.ofCollection(SECRETS);
    const secret = store.get(SECRETS, namespace, name);
    if (!kind || !secret) return;
    const today = lastUsedDay(secret.metadata.labels, this.clock.now());
    if (today === undefined) return;
    const labels = { ...secret.metadata.labels, [LAST_USED_LABEL]: today };
    const wanted = { ...secret, metadata: { ...secret.metadata, labels } };
    this.write(`${namespace}/${name}`, commitUpdate(this.parts, { kind, namespace, name }, wanted, secret, CONTEXT));
  };

  private wake(after: number): void {
    this.cancel?.();
    this.cancel = this.clock.at(new Date(this.clock.now().getTime() + after), () => {
      this.cancel = undefined;
      this.track();
    });
  }

  private track(): void {
    const { store, kinds } = this.parts;
    const kind = kinds.ofCollection(MAPS);
    if (!kind) return;
    const now = this.clock.now();
    const found = store.get(MAPS, HOME, TRACKING);
    if (!found) {
      const wait = this.made === undefined ? 0 : this.made + BETWEEN_MS - now.getTime();
      if (wait > 0) {
        this.wake(wait);
        return;
      }
      this.made = now.getTime();
      const map: KubeObject = {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: TRACKING, namespace: HOME },
        data: { since: day(now) },
      };
      store.put(MAPS, admitCreate(this.parts, kind, HOME, map, CONTEXT));
      return;
    }
    if (isDay(found["data"]?.since)) return;
    const wanted = { ...found, metadata: { ...found.metadata }, data: { ...found["data"], since: day(now) } };
    this.write(TRACKING, commitUpdate(this.parts, { kind, namespace: HOME, name: TRACKING }, wanted, found, CONTEXT));
  }

  private write(what: string, writing: Promise<unknown>): void {
    const told = writing.catch((error) => {
      this.parts.log.warn("the use of a token was not written down", { object: what, error: messageOf(error) });
    });
    void this.clock.track(told);
  }
}
