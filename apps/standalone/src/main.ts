import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import { pooledRandom } from "@tiphys/identity";
import { createLogger, createMetrics } from "@tiphys/telemetry";
import colors from "picocolors";
import { startDemo } from "./demo/play.js";
import { type Embedded, startEmbedded } from "./embedded.js";
import { type Options, parseOptions, usage } from "./options.js";

/** Longest time for one stage of the demo, in milliseconds. */
const PATIENCE_MS = 60_000;

/** Colours for people at a terminal only: what a program reads has none, whatever its environment says. */
const pc = colors.createColors(process.stdout.isTTY === true && !process.env["NO_COLOR"]);

/** Runs the suite in this process; sets the exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  let options: Options;
  try {
    options = parseOptions(argv);
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 2;
    return;
  }
  if (options.help) return void console.log(usage);
  const data = resolve(options.data);
  const clock = systemClock();
  const random = pooledRandom(randomBytes);
  // Times are counted from the start of the process, not of this module.
  const elapsed = () => `${(performance.now() / 1000).toFixed(1)} s`;
  const say = (text: string) => console.log(`${pc.dim(elapsed().padStart(8))}  ${text}`);
  const log = createLogger({ service: "standalone", level: options.logLevel });
  const bundles = join(dirname(fileURLToPath(import.meta.url)), "../..");
  const abort = new AbortController();

  let embedded: Embedded;
  try {
    embedded = await startEmbedded({
      data,
      port: options.port,
      ...(options.clusters === undefined ? {} : { clusters: options.clusters }),
      clock,
      random,
      log,
      metrics: createMetrics({ processMetrics: true }),
      bundles,
      searchPath: process.env["PATH"] ?? "",
      env: process.env,
    });
  } catch (error) {
    log.debug("start failed", { error });
    console.error(pc.red(`Tiphys did not start: ${messageOf(error)}`));
    process.exit(1);
  }
  const { suite, informers } = embedded;
  const password = (await suite.api.accounts.initialPassword())?.reveal() ?? "";
  const login = { url: suite.api.url, username: "admin", password, certificate: suite.api.certificate };
  await writeFile(join(data, "login.json"), `${JSON.stringify(login, null, 2)}\n`, { mode: 0o600 });
  say(`${pc.green("ready")} in ${elapsed()}: console ${pc.bold(login.url)}  user admin  password ${pc.bold(password)}`);
  say(`kubeconfig ${join(data, "kubeconfig")}   login ${join(data, "login.json")}`);

  for (const { name, url } of embedded.clusters.slice(1)) say(`cluster ${pc.bold(name)} at ${url}`);

  let stopDemo = async () => {};
  const end = async (code: number) => {
    abort.abort(new Error("interrupted"));
    await stopDemo();
    await embedded.stop();
    process.exit(code);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void end(0));

  if (!options.demo) return;
  try {
    const demo = await startDemo({
      client: informers.client,
      informers,
      clock,
      random,
      log,
      folder: join(data, "demo"),
      examples: join(bundles, "../examples/demo"),
      ingressUrl: embedded.ingressUrl,
      apiUrl: suite.api.url,
      say,
      signal: abort.signal,
      patience: PATIENCE_MS,
    });
    stopDemo = demo.stop;
    await demo.ending;
    say(`${pc.green("demo done")}: one release promoted, one aborted, no request unanswered`);
  } catch (error) {
    if (abort.signal.aborted) return;
    say(pc.red(`demo failed: ${messageOf(error)}`));
    if (options.once) return await end(1);
  }
  if (options.once) return await end(0);
  const relative = options.data === ".tiphys" ? "" : ` --data ${options.data}`;
  console.log(`
Three things to try:
  npx tiphys rollout get shop -n demo${relative}        the canary that was aborted, and why
  npx tiphys app explain shop${relative}                what the controller decided about the application
  kubectl --kubeconfig ${join(options.data, "kubeconfig")} get rollouts,workflows,pods -n demo

Press Ctrl-C to stop; the next start goes on from here.
`);
}
