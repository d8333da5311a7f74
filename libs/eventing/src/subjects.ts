/** Names may hold dots and other characters that are not part of a subject's token. */
const token = (name: string): string =>
  name.replace(/[^A-Za-z0-9_-]/gu, (character) =>
    encodeURIComponent(character).replaceAll(".", "%2E").replaceAll("*", "%2A"),
  );

/** Where the events of one event name are stored: `events.<namespace>.<bus>.<source>.<event>`. */
export const eventSubject = (namespace: string, bus: string, source: string, event: string): string =>
  ["events", namespace, bus, source, event].map(token).join(".");

/** A filter for all events of a namespace, or of one of its sources. */
export const eventFilter = (namespace?: string, bus?: string, source?: string): string => {
  const tokens = ["events", namespace === undefined ? "*" : token(namespace), bus === undefined ? "*" : token(bus)];
  return [...tokens, ...(source === undefined ? [] : [token(source)]), ">"].join(".");
};

/** The names in an event's subject. */
export function parseEventSubject(subject: string): { namespace: string; bus: string; source: string; event: string } {
  const [, namespace = "", bus = "", source = "", event = ""] = subject.split(".").map(decodeURIComponent);
  return { namespace, bus, source, event };
}

/** Name of the durable consumer of one trigger; the uid keeps a Sensor made again from getting the old one's place. */
export const triggerDurable = (namespace: string, sensor: string, uid: string, trigger: string): string =>
  ["sensor", namespace, sensor, uid, trigger].map(token).join(".");
