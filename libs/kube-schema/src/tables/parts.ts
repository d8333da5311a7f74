// biome-ignore-all lint/suspicious/noExplicitAny: rows are made of objects that were checked against their schemas when they were stored
import type { KubeObject } from "@tiphys/resources";

/** A column of a meta.k8s.io/v1 Table. */
export interface TableColumn {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  /** 0 is shown always, 1 with `-o wide`. */
  readonly priority: number;
}

export type Row = readonly unknown[];

export interface Printer {
  readonly columns: readonly TableColumn[];
  /** The cells of one object, in the order of the columns. */
  row(object: KubeObject, now: Date): Row;
}

/** `Name`, `Age`, … with `:integer` for another type than string and `*` for a wide column. */
export function columns(...names: string[]): TableColumn[] {
  return names.map((text) => {
    const [name = "", type = "string"] = text.replace("*", "").split(":");
    return {
      name,
      type,
      format: name === "Name" ? "name" : "",
      description: "",
      priority: text.endsWith("*") ? 1 : 0,
    };
  });
}

const second = 1000;

/** A time span as kubectl shows it: `5s`, `3m20s`, `4h`, `2d3h`. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / second);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return pair(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(seconds / 3600);
  if (hours < 8) return pair(hours, "h", minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  if (hours < 192) return pair(Math.floor(hours / 24), "d", hours % 24, "h");
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24)}d`;
  const years = Math.floor(hours / 24 / 365);
  if (hours < 24 * 365 * 8) return pair(years, "y", Math.floor(hours / 24) % 365, "d");
  return `${years}y`;
}

const pair = (a: number, unit: string, b: number, smaller: string): string =>
  b === 0 ? `${a}${unit}` : `${a}${unit}${b}${smaller}`;

/** How long ago a time was. */
export function since(time: string | undefined | null, now: Date): string {
  if (!time) return "<unknown>";
  const at = Date.parse(time);
  return Number.isNaN(at) ? "<invalid>" : formatAge(now.getTime() - at);
}

export const ageOf = (object: KubeObject, now: Date): string => since(object.metadata.creationTimestamp, now);

/** A label selector as text: `app=web,tier in (a,b)`. */
export function selectorText(selector: any): string {
  if (!selector) return "<none>";
  const labels: Record<string, string> = selector.matchLabels ?? (selector.matchExpressions ? {} : selector);
  const parts = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const list = [...values].sort().join(",");
    if (operator === "Exists") parts.push(key);
    else if (operator === "DoesNotExist") parts.push(`!${key}`);
    else parts.push(`${key} ${operator === "In" ? "in" : "notin"} (${list})`);
  }
  return parts.length > 0 ? parts.sort().join(",") : "<none>";
}

export const labelsText = (labels: Record<string, string> | undefined): string =>
  labels && Object.keys(labels).length > 0
    ? Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .sort()
        .join(",")
    : "<none>";

export const containerNames = (spec: any): string => (spec?.containers ?? []).map(({ name }: any) => name).join(",");
export const containerImages = (spec: any): string =>
  (spec?.containers ?? []).map(({ image = "" }: any) => image).join(",");
