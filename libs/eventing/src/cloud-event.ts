import { InvalidArgumentError, messageOf } from "@tiphys/errors";

/** One event: CloudEvents 1.0 attributes plus its data, which is always JSON here. */
export interface CloudEvent {
  /** 32 hex characters; the same delivery of a provider always gives the same id. */
  readonly id: string;
  /** Name of the EventSource. */
  readonly source: string;
  /** Source type: `webhook`, `github`… */
  readonly type: string;
  /** Event name: the key in the EventSource's spec. */
  readonly subject: string;
  readonly time: Date;
  readonly datacontenttype: string;
  readonly data: unknown;
}

/** The structured JSON form that Argo Events puts on its bus, with the data as `data_base64`. */
export interface WireEvent {
  specversion: "1.0";
  id: string;
  source: string;
  type: string;
  subject: string;
  datacontenttype: string;
  time: string;
  data_base64?: string;
  data?: unknown;
}

export const toWire = (event: CloudEvent): WireEvent => ({
  specversion: "1.0",
  id: event.id,
  source: event.source,
  type: event.type,
  subject: event.subject,
  datacontenttype: event.datacontenttype,
  time: event.time.toISOString(),
  data_base64: Buffer.from(JSON.stringify(event.data)).toString("base64"),
});

export const encodeEvent = (event: CloudEvent): Uint8Array => Buffer.from(JSON.stringify(toWire(event)));

const attributes = ["id", "source", "type", "subject"] as const;

export function fromWire(wire: WireEvent): CloudEvent {
  if (typeof wire !== "object" || wire === null) throw new InvalidArgumentError("", "an event must be a JSON object");
  if (wire.specversion !== "1.0") throw new InvalidArgumentError("specversion", `"${wire.specversion}" is not 1.0`);
  for (const name of attributes) {
    if (typeof wire[name] !== "string" || wire[name] === "") throw new InvalidArgumentError(name, "is missing");
  }
  const time = new Date(wire.time);
  if (Number.isNaN(time.getTime())) throw new InvalidArgumentError("time", `"${wire.time}" is not a time`);
  return {
    id: wire.id,
    source: wire.source,
    type: wire.type,
    subject: wire.subject,
    datacontenttype: wire.datacontenttype ?? "application/json",
    time,
    data: wire.data_base64 === undefined ? (wire.data ?? null) : json(wire.data_base64),
  };
}

export function decodeEvent(bytes: Uint8Array): CloudEvent {
  let wire: WireEvent;
  try {
    wire = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw new InvalidArgumentError("", `the event is not JSON: ${messageOf(error)}`);
  }
  return fromWire(wire);
}

function json(base64: string): unknown {
  const text = Buffer.from(base64, "base64").toString();
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError("data_base64", `is not JSON: ${messageOf(error)}`);
  }
}

/** The attributes as templates and `contextKey` see them. */
export const contextOf = (event: CloudEvent): Record<string, string> => ({
  id: event.id,
  source: event.source,
  specversion: "1.0",
  type: event.type,
  datacontenttype: event.datacontenttype,
  subject: event.subject,
  time: event.time.toISOString(),
});
