import type { NatsConnection } from "@nats-io/nats-core";
import { canonicalJson, deepFreeze, digest } from "@tiphys/canonical-json";
import type { Journal, JournalEntry, StoredEntry } from "./journal.js";
import { decisionDigest, positionText } from "./stored.js";

export interface JetStreamJournalOptions {
  readonly connection: NatsConnection;
  /** Stream of the entries; their states are in `<stream>_STATES`. */
  readonly stream?: string;
  readonly retention?: { readonly entriesPerSubject?: number; readonly days?: number };
}

const DAYS = 90;
const PER_SUBJECT = 1000;
const DAY_NS = 86_400_000_000_000;
const DIGEST_HEADER = "Tiphys-Decision";
/** NATS error codes: no message found, stream not found. */
const NO_MESSAGE = 10_037;
const NO_STREAM = 10_059;

/** `applications/argocd/shop` as subject tokens; what NATS gives a meaning is written as %XX. */
const tokens = (subject: string): string =>
  subject
    .split("/")
    .map(
      (part) => part.replace(/[^A-Za-z0-9_-]/g, (char) => `%${(char.codePointAt(0) as number).toString(16)}%`) || "%",
    )
    .join(".");

const codeOf = (error: unknown): number | undefined =>
  (error as { code?: number; apiError?: () => { err_code: number } })?.apiError?.().err_code ??
  (error as { code?: number })?.code;

/** A journal in two JetStream streams, shared by all replicas of a service. */
export async function createJetStreamJournal(options: JetStreamJournalOptions): Promise<Journal> {
  const { jetstream, jetstreamManager, DeliverPolicy, DiscardPolicy } = await import("@nats-io/jetstream");
  const { headers } = await import("@nats-io/nats-core");
  const { connection, stream = "TIPHYS_JOURNAL" } = options;
  const manager = await jetstreamManager(connection);
  const js = jetstream(connection);
  const prefix = stream.toLowerCase();
  const states = `${stream}_STATES`;
  const { entriesPerSubject = PER_SUBJECT, days = DAYS } = options.retention ?? {};

  const ensure = async (name: string, subjects: string[], perSubject: number) => {
    const config = {
      subjects,
      max_msgs_per_subject: perSubject,
      max_age: days * DAY_NS,
      discard: DiscardPolicy.Old,
      allow_direct: true,
    };
    try {
      await manager.streams.info(name);
      await manager.streams.update(name, config);
    } catch (error) {
      if (codeOf(error) !== NO_STREAM && codeOf(error) !== 404) throw error;
      await manager.streams.add({ name, ...config });
    }
  };
  await ensure(stream, [`${prefix}.entry.>`], entriesPerSubject);
  await ensure(states, [`${prefix}.state.*`], 1);

  const latest = async (of: string, subject: string) => {
    try {
      return (await manager.streams.getMessage(of, { last_by_subj: subject })) ?? undefined;
    } catch (error) {
      if (codeOf(error) === NO_MESSAGE || codeOf(error) === 404) return undefined;
      throw error;
    }
  };
  /** Last decision of each subject, once it is known; read from the stream the first time. */
  const last = new Map<string, Promise<string>>();
  const known = new Set<string>();

  return {
    async record(entry: JournalEntry) {
      const { state, ...rest } = entry;
      const subject = `${prefix}.entry.${entry.kind}.${tokens(entry.subject)}`;
      const decided = decisionDigest(entry);
      if (entry.kind === "decision") {
        const before =
          last.get(subject) ?? latest(stream, subject).then((message) => message?.header.get(DIGEST_HEADER) ?? "");
        // Taken before the wait, so that two records of one subject at a time see each other.
        last.set(
          subject,
          before.then(
            () => decided,
            () => "",
          ),
        );
        if (
          (await before.catch((error: unknown) => {
            last.delete(subject);
            throw error;
          })) === decided
        )
          return undefined;
      }
      try {
        const stateDigest = state === undefined ? undefined : digest(state);
        if (stateDigest && !known.has(stateDigest)) {
          const at = `${prefix}.state.${stateDigest}`;
          if (!(await latest(states, at))) await js.publish(at, canonicalJson(state));
          known.add(stateDigest);
        }
        const head = headers();
        head.set(DIGEST_HEADER, decided);
        const ack = await js.publish(subject, canonicalJson({ ...rest, stateDigest }), { headers: head });
        return positionText(ack.seq);
      } catch (error) {
        last.delete(subject);
        throw error;
      }
    },

    async read(subject, { limit = 100, before } = {}) {
      // One pattern for every kind: NATS before 2.10 knows no list of them.
      const filter = `${prefix}.entry.*.${tokens(subject)}`;
      const consumer = await js.consumers.get(stream, { filter_subjects: filter, deliver_policy: DeliverPolicy.All });
      const { num_pending: pending } = await consumer.info(true);
      const found: StoredEntry[] = [];
      if (pending === 0) return found;
      const messages = await consumer.consume();
      for await (const message of messages) {
        const entry = message.json<StoredEntry & { at: string }>();
        found.push(deepFreeze({ ...entry, at: new Date(entry.at), position: positionText(message.seq) }));
        if (message.info.pending === 0) break;
      }
      await messages.close();
      return found
        .filter((entry) => before === undefined || entry.position < before)
        .reverse()
        .slice(0, limit);
    },

    async state(of) {
      const message = await latest(states, `${prefix}.state.${of}`);
      return message ? deepFreeze(message.json()) : undefined;
    },

    // The connection is the caller's.
    close: async () => {},
  };
}
