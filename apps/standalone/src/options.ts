import { parseArgs } from "node:util";
import { InvalidArgumentError, messageOf } from "@tiphys/errors";
import { MOST_CLUSTERS } from "./cluster-folders.js";

export interface Options {
  /** Folder that keeps everything. */
  readonly data: string;
  readonly port: number;
  /** How many embedded clusters; absent: as many as the data folder has. */
  readonly clusters?: number;
  readonly demo: boolean;
  /** End after the demo: 0 when it went as it should, else 1. */
  readonly once: boolean;
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly help: boolean;
}

export const usage = `npm start -- [options]

  --data DIR     where state is kept (default .tiphys); holds kubeconfig and login.json
  --port PORT    HTTPS port on 127.0.0.1 for console, REST and gRPC (default 8080, 0 takes a free one)
  --clusters N   N embedded clusters (1 to 9) that Applications can be delivered to: in-cluster, cluster-2, …;
                 contexts of these names are in the kubeconfig (default: as many as DIR has)
  --no-demo      start the suite without the demo
  --once         end after the demo: 0 when it went as it should, else 1 with the reason
  --log LEVEL    debug, info, warn or error (default warn), JSON lines on standard error
  --help         this text
`;

const levels: ReadonlySet<string> = new Set(["debug", "info", "warn", "error"]);

/** Reads the command line; throws InvalidArgument that names the option. */
export function parseOptions(argv: readonly string[]): Options {
  let values: {
    data?: string;
    port?: string;
    clusters?: string;
    "no-demo"?: boolean;
    once?: boolean;
    log?: string;
    help?: boolean;
  };
  try {
    ({ values } = parseArgs({
      args: [...argv],
      options: {
        data: { type: "string" },
        port: { type: "string" },
        clusters: { type: "string" },
        "no-demo": { type: "boolean" },
        once: { type: "boolean" },
        log: { type: "string" },
        help: { type: "boolean" },
      },
    }));
  } catch (cause) {
    throw new InvalidArgumentError("", `${messageOf(cause)}\n\n${usage}`, { cause });
  }
  const port = Number(values.port ?? "8080");
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new InvalidArgumentError("--port", `"${values.port}" is not a port number`);
  const clusters = values.clusters === undefined ? undefined : Number(values.clusters);
  if (clusters !== undefined && !(Number.isInteger(clusters) && clusters >= 1 && clusters <= MOST_CLUSTERS))
    throw new InvalidArgumentError("--clusters", `"${values.clusters}" is no number from 1 to ${MOST_CLUSTERS}`);
  const logLevel = values.log ?? "warn";
  if (!levels.has(logLevel))
    throw new InvalidArgumentError("--log", `"${logLevel}" is none of ${[...levels].join(", ")}`);
  if (values.once && values["no-demo"])
    throw new InvalidArgumentError("--once", "ends after the demo and cannot go with --no-demo");
  return {
    data: values.data ?? ".tiphys",
    port,
    ...(clusters === undefined ? {} : { clusters }),
    demo: !values["no-demo"],
    once: values.once ?? false,
    logLevel: logLevel as Options["logLevel"],
    help: values.help ?? false,
  };
}
