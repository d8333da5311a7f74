/**
 * The event bus as a port: the common ground of JetStream, Kafka and our own log. At least once: a message is delivered
 * again until it is acknowledged or terminated. Deduplication, joins and attempt records are not the bus's business,
 * except that an `id` seen within the stream's window is stored once.
 */
export interface Bus {
  /** Resolves when the message is durable. Subjects are dot-separated tokens, as in NATS. */
  append(subject: string, id: string, bytes: Uint8Array, headers?: Headers): Promise<Position>;
  /** A durable pull consumer; the same name continues where it left off, also after a restart. */
  consume(options: ConsumeOptions, handler: (message: Message) => Promise<void>): Promise<Consumer>;
  /** Live delivery without durability, for facts that only viewers care about. */
  publish(subject: string, bytes: Uint8Array, headers?: Headers): void;
  subscribe(subject: string, handler: (subject: string, bytes: Uint8Array, headers: Headers) => void): () => void;
  /** Stored messages of a subject filter, oldest first, for `event list` and replay. */
  read(subject: string, options?: { limit?: number; after?: Position }): Promise<readonly StoredMessage[]>;
  close(): Promise<void>;
}

/** Sequence number in the stream, counted from 1. */
export type Position = number;
export type Headers = Readonly<Record<string, string>>;

export interface ConsumeOptions {
  readonly durable: string;
  /** Filters with `*` (one token) and `>` (the rest). */
  readonly subjects: readonly string[];
  readonly startAt?: "new" | "all";
  /** Milliseconds until an unacknowledged message is delivered again; default 30,000. */
  readonly ackWait?: number;
  /** Messages handled at the same time; default 64. */
  readonly maxInFlight?: number;
}

/** Exactly one of ack, nak, term is called; a handler that throws is a nak with back-off. */
export interface Message {
  readonly subject: string;
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly headers: Headers;
  readonly position: Position;
  /** 1 at the first delivery. */
  readonly deliveries: number;
  ack(): Promise<void>;
  nak(delayMilliseconds?: number): Promise<void>;
  term(reason: string): Promise<void>;
}

export interface StoredMessage {
  readonly subject: string;
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly headers: Headers;
  readonly position: Position;
  readonly at: Date;
}

export interface Consumer {
  stop(): Promise<void>;
}
