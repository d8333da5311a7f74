import type { ConsumerMessages, JetStreamClient, JetStreamManager, JsMsg } from "@nats-io/jetstream";
import type { MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import type { Clock } from "@tiphys/clock";
import { InvalidArgumentError, LimitExceededError, messageOf, UnavailableError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type { Secret } from "@tiphys/secret";
import type { Logger } from "@tiphys/telemetry";
import type { Bus, ConsumeOptions, Headers, Message, StoredMessage } from "./bus.js";
import { DEFAULT_ACK_WAIT_MS, DEFAULT_IN_FLIGHT, redeliveryDelay } from "./local-consumer.js";
import { anyMatcher, isSubject } from "./subject.js";

export interface NatsBusOptions {
  readonly servers: string | readonly string[];
  readonly token?: Secret;
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: Secret };
  /** Stream name, and first token of every NATS subject; default `tiphys`. */
  readonly stream?: string;
  /** Copies of the stream in the cluster; default 1. */
  readonly replicas?: number;
  /** Milliseconds; default five minutes. */
  readonly dedupWindow?: number;
  /** Milliseconds; default seven days. */
  readonly maxAge?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const MSG_ID = "Nats-Msg-Id";

/**
 * The bus on NATS JetStream: one stream for all subjects, one durable pull consumer per name, shared by all processes
 * that consume under it. Messages live under `<stream>.log.`, live facts under `<stream>.live.` on core NATS.
 */
export async function createNatsBus(options: NatsBusOptions): Promise<Bus> {
  const { clock, log } = options;
  const stream = options.stream ?? "tiphys";
  const { connect, headers: newHeaders, nanos } = await import("@nats-io/transport-node");
  const jetstreamLibrary = await import("@nats-io/jetstream");
  const { AckPolicy, DeliverPolicy, DiscardPolicy, jetstream, jetstreamManager, RetentionPolicy } = jetstreamLibrary;

  const servers = typeof options.servers === "string" ? [options.servers] : [...options.servers];
  let connection: NatsConnection;
  try {
    connection = await connect({
      servers,
      name: "tiphys",
      maxReconnectAttempts: -1,
      ...(options.token ? { token: options.token.reveal() } : {}),
      ...(options.tls ? { tls: { ca: options.tls.ca, cert: options.tls.cert, key: options.tls.key?.reveal() } } : {}),
    });
  } catch (error) {
    throw new UnavailableError(`NATS at ${servers.join(", ")} cannot be reached: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const js: JetStreamClient = jetstream(connection);
  const logPrefix = `${stream}.log.`;
  const livePrefix = `${stream}.live.`;
  let manager: JetStreamManager;
  try {
    manager = await jetstreamManager(connection);
    await ensureStream();
  } catch (error) {
    await connection.close();
    throw new UnavailableError(`NATS stream ${stream} cannot be used: ${messageOf(error)}`, { cause: error });
  }
  const consumers = new Set<{ stop(): Promise<void> }>();

  async function ensureStream(): Promise<void> {
    const config = {
      subjects: [`${logPrefix}>`],
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      num_replicas: options.replicas ?? 1,
      duplicate_window: nanos(options.dedupWindow ?? 300_000),
      max_age: nanos(options.maxAge ?? 7 * 86_400_000),
    };
    try {
      await manager.streams.info(stream);
      await manager.streams.update(stream, config);
    } catch (error) {
      if (!/not found/i.test(messageOf(error))) throw error;
      await manager.streams.add({ name: stream, ...config });
    }
  }

  const toNats = (headers: Headers): MsgHdrs => {
    const result = newHeaders();
    for (const [name, value] of Object.entries(headers)) result.set(name, value);
    return result;
  };
  const fromNats = (headers: MsgHdrs | undefined): Headers => {
    const result: Record<string, string> = {};
    for (const name of headers?.keys() ?? []) if (name !== MSG_ID) result[name] = headers!.get(name);
    return result;
  };
  const stored = (message: JsMsg): StoredMessage => ({
    subject: message.subject.slice(logPrefix.length),
    id: message.headers?.get(MSG_ID) ?? "",
    bytes: message.data,
    headers: fromNats(message.headers),
    position: message.seq,
    at: new Date(message.info.timestampNanos / 1e6),
  });

  /** Servers before 2.10 take one filter per consumer; the rest of the choice is made here. */
  const serverFilter = (subjects: readonly string[]): string =>
    subjects.length === 1 ? `${logPrefix}${subjects[0]}` : `${logPrefix}>`;

  return {
    async append(subject, id, bytes, headers = {}) {
      if (!isSubject(subject)) throw new InvalidArgumentError("subject", `"${subject}" is not a subject`);
      if (bytes.length > limits.busMessageBytes) {
        throw new LimitExceededError(
          `message ${id} on ${subject} has ${bytes.length} bytes; the bus takes at most ${limits.busMessageBytes}`,
        );
      }
      try {
        const sent = js.publish(`${logPrefix}${subject}`, bytes, { msgID: id, headers: toNats(headers) });
        return (await clock.track(sent)).seq;
      } catch (error) {
        throw new UnavailableError(`message ${id} was not stored by NATS: ${messageOf(error)}`, { cause: error });
      }
    },
    async consume(consumeOptions, handler) {
      const { durable, subjects } = consumeOptions;
      const name = durableName(durable);
      const wanted = {
        durable_name: name,
        ack_policy: AckPolicy.Explicit,
        deliver_policy: consumeOptions.startAt === "all" ? DeliverPolicy.All : DeliverPolicy.New,
        filter_subject: serverFilter(subjects),
        ack_wait: nanos(consumeOptions.ackWait ?? DEFAULT_ACK_WAIT_MS),
        max_ack_pending: Math.max(consumeOptions.maxInFlight ?? DEFAULT_IN_FLIGHT, 1) * 4,
        max_deliver: -1,
      };
      try {
        // Where it starts is fixed at creation; the rest follows the options.
        await manager.consumers.info(stream, name);
        const { filter_subject, ack_wait, max_ack_pending } = wanted;
        await manager.consumers.update(stream, name, { filter_subject, ack_wait, max_ack_pending });
      } catch (error) {
        if (!/not found/i.test(messageOf(error))) throw error;
        await manager.consumers.add(stream, wanted);
      }
      const consumer = await js.consumers.get(stream, name);
      const inFlight = consumeOptions.maxInFlight ?? DEFAULT_IN_FLIGHT;
      const messages = await consumer.consume({ max_messages: inFlight });
      const running = runConsumer(messages, consumeOptions, handler);
      consumers.add(running);
      return {
        async stop() {
          consumers.delete(running);
          await running.stop();
        },
      };
    },
    publish(subject, bytes, headers = {}) {
      connection.publish(`${livePrefix}${subject}`, bytes, { headers: toNats(headers) });
    },
    subscribe(subject, handler) {
      const subscription = connection.subscribe(`${livePrefix}${subject}`, {
        callback: (error, message) => {
          if (error) return;
          handler(message.subject.slice(livePrefix.length), message.data, fromNats(message.headers));
        },
      });
      return () => subscription.unsubscribe();
    },
    async read(subject, { limit = 100, after = 0 } = {}) {
      const found: StoredMessage[] = [];
      const ordered = await js.consumers.get(stream, {
        filter_subjects: `${logPrefix}${subject}`,
        ...(after > 0
          ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: after + 1 }
          : { deliver_policy: DeliverPolicy.All }),
      });
      try {
        const { num_pending: pending } = await ordered.info();
        const wanted = Math.min(limit, pending);
        if (wanted === 0) return found;
        const batch = await ordered.fetch({ max_messages: wanted, expires: 5000 });
        for await (const message of batch) {
          found.push(stored(message));
          if (found.length >= wanted) break;
        }
        return found;
      } finally {
        await ordered.delete().catch(() => false);
      }
    },
    async close() {
      for (const running of consumers) await running.stop();
      consumers.clear();
      if (connection.isClosed()) return;
      await connection.drain().catch((error) => log.warn("NATS did not drain", { error: messageOf(error) }));
    },
  };

  function runConsumer(
    messages: ConsumerMessages,
    { subjects, maxInFlight, durable }: ConsumeOptions,
    handler: (message: Message) => Promise<void>,
  ): { stop(): Promise<void> } {
    const matches = anyMatcher(subjects);
    const most = maxInFlight ?? DEFAULT_IN_FLIGHT;
    const running = new Set<Promise<void>>();
    const handle = async (raw: JsMsg) => {
      const { at: _, ...message } = stored(raw);
      if (!matches(message.subject)) return raw.ack();
      const deliveries = raw.info.deliveryCount;
      let answered = false;
      const once = (answer: () => void) => async () => {
        if (answered) return;
        answered = true;
        answer();
      };
      try {
        await handler({
          ...message,
          deliveries,
          ack: once(() => raw.ack()),
          nak: (delay = redeliveryDelay(deliveries)) => once(() => raw.nak(delay))(),
          term: (reason) =>
            once(() => {
              log.warn("message was given up", { durable, id: message.id, reason });
              raw.term(reason);
            })(),
        });
      } catch (error) {
        log.warn("message handler failed", { durable, id: message.id, deliveries, error: messageOf(error) });
        await once(() => raw.nak(redeliveryDelay(deliveries)))();
      }
    };
    const loop = (async () => {
      for await (const raw of messages) {
        const work: Promise<void> = clock.track(handle(raw)).finally(() => running.delete(work));
        running.add(work);
        if (running.size >= most) await Promise.race(running);
      }
    })().catch((error) => log.error("the NATS consumer ended", { durable, error: messageOf(error) }));
    return {
      async stop() {
        await messages.close();
        await loop;
        await Promise.all(running);
        // The acknowledgements must have left before another consumer may ask for messages.
        if (!connection.isClosed()) await connection.flush();
      },
    };
  }
}

/** JetStream's durable names know neither dots nor spaces. */
function durableName(durable: string): string {
  return durable.replace(/[^A-Za-z0-9_-]/g, (character) => `=${character.codePointAt(0)!.toString(16)}=`);
}
