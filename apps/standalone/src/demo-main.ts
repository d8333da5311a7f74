import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "@tiphys/clock";
import { InvalidArgumentError, messageOf } from "@tiphys/errors";
import { createHttpKubeClient, createInformers, loadKubeconfig } from "@tiphys/kube";
import { createLogger } from "@tiphys/telemetry";
import { startDemo } from "./demo/play.js";

// Plays the demo against services that run elsewhere, on any cluster. Ends with 0 when it went as it should.
const required = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new InvalidArgumentError(name, "must be set");
  return value;
};
const clock = systemClock();
const log = createLogger({ service: "demo", level: "warn" });
const client = createHttpKubeClient({
  connection: await loadKubeconfig({ path: required("TIPHYS_KUBECONFIG") }),
  log,
  clock,
});
const informers = createInformers({ client, clock, log });
const abort = new AbortController();
process.once("SIGTERM", () => abort.abort(new Error("interrupted")));
const say = (text: string) => console.log(`${(performance.now() / 1000).toFixed(1).padStart(7)} s  ${text}`);
try {
  const demo = await startDemo({
    client: informers.client,
    informers,
    clock,
    random: randomBytes,
    log,
    folder: join(required("TIPHYS_DATA"), "demo"),
    examples: join(dirname(fileURLToPath(import.meta.url)), "../../../examples/demo"),
    ingressUrl: required("TIPHYS_INGRESS_URL"),
    apiUrl: required("TIPHYS_API_URL"),
    say,
    signal: abort.signal,
    patience: 90_000,
  });
  await demo.ending;
  say("demo done");
  process.exit(0);
} catch (error) {
  say(`demo failed: ${messageOf(error)}`);
  process.exit(1);
}
