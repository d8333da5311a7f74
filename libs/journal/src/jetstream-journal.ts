import type { NatsConnection } from "@nats-io/transport-node";
import { canonicalJson, digest } from "@tiphys/canonical-json";
import type { Clock } from "@tiphys/clock";
import { DataLossError } from "@tiphys/errors";
import type { Journal, JournalEntry, StoredEntry } from "./journal.js";
import { decisionDigest, positionText } from "./stored.js";

export interface JetStreamJournalOptions {
  readonly connection: NatsConnection;
  /** Name of the stream; default `tiphys-journal`. */
  readonly stream?: string;
  readonly clock: Clock;
  /** How long entries and their states are kept; default 30 days. */
  readonly retentionDays?: number;
}

const DAY_NS = 86_400_000_000_000;
const NOT_FOUND = 10037;

/** Subject tokens may hold neither dots nor spaces, so each part of ours is encoded. */
const encode = (subject: string): string =>
  subject
    .split("/")
    .map((part) => Buffer.from(part).toString("base64url") || "_")
    .join(".");

/** Decisions in a JetStream stream shared by all replicas. Loads its library on first use. */
export async function createJetStreamJournal({
  connection,
  stream = "tiphys-journal",
  clock,
  retentionDays = 30,
}: JetStreamJournalOptions): Promise<Journal> {
  const { jetstream, jetstreamManager } = await import("@nats-io/jetstream");
  const manager = await jetstreamManager(connection);
  const subjects = [`${stream}.entries.>`, `${stream}.states.*`];
  try {
    await manager.streams.info(stream);
  } catch {
    await manager.streams.add({ name: stream, subjects, max_age: retentionDays * DAY_NS, allow_direct: true });
  }
  const publisher = jetstream(connection);
  const encoder = new TextEncoder();
  const lastDecision = new Map<string, string>();
  void clock;

  const lastOf = async (subject: string) => {
    try {
      return await manager.streams.getMessage(stream, { last_by_subj: subject });
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  };
  const parse = (data: Uint8Array, sequence: number): StoredEntry => {
    try {
      const entry = JSON.parse(Buffer.from(data).toString("utf8"));
      return { ...entry, at: new Date(entry.at), position: positionText(sequence) };
    } catch (cause) {
      throw new DataLossError(`message ${sequence} of stream ${stream} is not a journal entry`, { cause });
    }
  };

  return {
    async record(entry: JournalEntry) {
      const subject = `${stream}.entries.${encode(entry.subject)}`;
      const decision = decisionDigest(entry);
      if (entry.kind === "decision") {
        let last = lastDecision.get(entry.subject);
        if (last === undefined) {
          const stored = await lastOf(subject);
          last = stored ? decisionDigest(parse(stored.data, stored.seq)) : "";
        }
        if (last === decision) return undefined;
      }
      const stateDigest = entry.state === undefined ? undefined : digest(entry.state);
      if (stateDigest) {
        const stateSubject = `${stream}.states.${stateDigest}`;
        if (!(await lastOf(stateSubject)))
          await publisher.publish(stateSubject, encoder.encode(canonicalJson(entry.state)), { msgID: stateDigest });
      }
      const { state: _state, ...rest } = entry;
      const { seq } = await publisher.publish(
        subject,
        encoder.encode(JSON.stringify({ ...rest, ...(stateDigest ? { stateDigest } : {}) })),
      );
      if (entry.kind === "decision") lastDecision.set(entry.subject, decision);
      return positionText(seq);
    },
    async read(subject, { limit = 100, before } = {}) {
      const filter = `${stream}.entries.${encode(subject)}`;
      const last = await lastOf(filter);
      if (!last) return [];
      const newest: StoredEntry[] = [];
      const consumer = await publisher.consumers.get(stream, { filter_subjects: filter });
      // An ordered consumer gives oldest first; only the newest `limit` are kept.
      const messages = await consumer.consume();
      try {
        for await (const message of messages) {
          const entry = parse(message.data, message.seq);
          if (before === undefined || entry.position < before) newest.push(entry);
          if (newest.length > limit) newest.shift();
          if (message.seq >= last.seq) break;
        }
      } finally {
        await messages.close();
      }
      return newest.reverse();
    },
    async state(of) {
      const message = await lastOf(`${stream}.states.${of}`);
      return message ? JSON.parse(Buffer.from(message.data).toString("utf8")) : undefined;
    },
    async close() {
      await connection.drain();
    },
  };
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error &&
  ("code" in error && error.code === NOT_FOUND ? true : /no message found/.test(error.message));
