import { parseDuration } from "@tiphys/expressions";

/** Milliseconds of a Go duration (`1m30s`), or undefined when the text is none. */
export const durationMilliseconds = (text: string): number | undefined => parseDuration(text)?.milliseconds;

/** RFC 3339 in whole seconds, as Kubernetes writes times. */
export const timeText = (time: Date): string => `${time.toISOString().slice(0, 19)}Z`;

/** `time` later by `milliseconds`. */
export const later = (time: string | Date, milliseconds: number): Date =>
  new Date((typeof time === "string" ? Date.parse(time) : time.getTime()) + milliseconds);
