import { type DestinationStream, type Level, type Logger as Pino, pino } from "pino";
import type { Fields, Logger } from "./logger.js";

export interface LoggerOptions {
  readonly service: string;
  readonly level?: Level | "silent";
  /** Where lines go; standard error when absent, so that standard output stays for results. */
  readonly destination?: DestinationStream;
}

/** Structured JSON logs. Errors in fields are written as `{ type, message, code }`, without their stack unless level is debug. */
export function createLogger({ service, level = "info", destination }: LoggerOptions): Logger {
  const root = pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: "msg",
      formatters: { level: (label) => ({ level: label }) },
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  );
  return wrap(root);
}

function wrap(root: Pino): Logger {
  const write = (level: "debug" | "info" | "warn" | "error") => (message: string, fields?: Fields) => {
    if (root.isLevelEnabled(level)) root[level](plain(fields), message);
  };
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    with: (fields) => wrap(root.child(plain(fields))),
  };
}

function plain(fields: Fields | undefined): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields ?? {})) {
    out[name] =
      value instanceof Error
        ? { type: value.name, message: value.message, ...("code" in value ? { code: value.code } : {}) }
        : value;
  }
  return out;
}
