import { mkdir } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { type Clock, sleep } from "@tiphys/clock";
import { FailedPreconditionError, messageOf, UnavailableError } from "@tiphys/errors";
import type { RandomBytes } from "@tiphys/identity";
import type { Informers, KubeClient } from "@tiphys/kube";
import { types } from "@tiphys/resources";
import type { Logger } from "@tiphys/telemetry";
import { freePort } from "../ports.js";
import { githubPush, type Push, startForge } from "./forge.js";
import { openSettings, seedCluster, seedRepositories } from "./seed.js";
import { playStory } from "./story.js";
import { startTraffic, type Traffic } from "./traffic.js";

export interface DemoOptions {
  readonly client: KubeClient;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  /** Folder that keeps the demo's repositories and secrets. */
  readonly folder: string;
  /** `examples/demo` of the checkout. */
  readonly examples: string;
  /** Where customers come in. */
  readonly ingressUrl: string;
  /** The api-server, told of pushes to the configuration repository. */
  readonly apiUrl: string;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
  /** Milliseconds for one stage of the story. */
  readonly patience: number;
}

const CUSTOMERS_PER_SECOND = 40;
const WEBHOOK_TRIES = 40;
const WEBHOOK_PAUSE_MS = 250;

export interface Demo {
  /** Resolves when both releases have ended as they should; rejects with the reason otherwise. */
  readonly ending: Promise<void>;
  /** Stops the forge; the cluster keeps what it has. */
  stop(): Promise<void>;
}

/** Seeds the demo and plays it; goes on from wherever an earlier start of the same folder left off. */
export async function startDemo(options: DemoOptions): Promise<Demo> {
  const { client, informers, clock, random, log, folder, examples, say } = options;
  await mkdir(folder, { recursive: true });
  const settings = await openSettings(folder, random, freePort);
  const gitFolder = await seedRepositories(folder, examples);
  // Everything the story looks at is watched from the start.
  const watched = [
    types.applications,
    types.workflows,
    types.rollouts,
    types.replicaSets,
    types.pods,
    types.analysisRuns,
    types.configMaps,
  ];
  await Promise.all(watched.map((type) => informers.informer(type).synced));

  const tell = async (push: Push, url: string) => {
    const { headers, body } = githubPush(push, `${forge.url}/${push.repository}.git`, settings.webhookSecret);
    for (let attempt = 1; ; attempt++) {
      const outcome = await post(url, headers, body).catch((error: unknown) => messageOf(error));
      if (outcome === 200) return;
      if (typeof outcome === "number" && outcome < 500 && outcome !== 404)
        throw new FailedPreconditionError(`the webhook at ${url} was answered with ${outcome}`);
      if (attempt === WEBHOOK_TRIES) throw new UnavailableError(`the webhook at ${url} does not answer: ${outcome}`);
      await sleep(clock, WEBHOOK_PAUSE_MS, options.signal);
    }
  };
  const tellSource = (push: Push) => tell(push, `http://127.0.0.1:${settings.webhookPort}/push`);
  const forge = await startForge({
    folder: gitFolder,
    port: settings.forgePort,
    token: settings.token,
    log,
    // A forge answers the pusher first and tells its webhooks later; a push is never lost because nobody listens.
    onPush: async (push) => {
      const told = push.repository === "app" ? tellSource(push) : tell(push, `${options.apiUrl}/api/webhook`);
      void clock
        .track(told)
        .catch((error) => log.warn("webhook not delivered", { repository: push.repository, error }));
    },
  });
  await seedCluster(client, examples, settings, forge.url);
  say(`forge ${forge.url} serves the shop's repositories`);

  const play = async () => {
    let traffic: Traffic | undefined;
    try {
      await playStory({
        informers,
        clock,
        forgeUrl: forge.url,
        gitFolder: join(folder, "git"),
        authorization: `Basic ${Buffer.from(`forge:${settings.token.reveal()}`).toString("base64")}`,
        ingressUrl: options.ingressUrl,
        redeliver: tellSource,
        openShop: () => {
          traffic = startTraffic(clock, options.ingressUrl, CUSTOMERS_PER_SECOND);
          return traffic.count;
        },
        say,
        signal: options.signal,
        patience: options.patience,
      });
    } finally {
      await traffic?.stop();
    }
  };
  const ending = play();
  ending.catch(() => {});
  return { ending, stop: () => forge.close() };
}

/** POSTs to a loopback address and gives the status; the api-server's certificate is its own, and the address is ours. */
function post(url: string, headers: Readonly<Record<string, string>>, body: string): Promise<number> {
  const send = url.startsWith("https:") ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const call = send(
      url,
      {
        method: "POST",
        headers: { ...headers, "content-length": Buffer.byteLength(body) },
        rejectUnauthorized: false,
        timeout: 10_000,
      },
      (response) => {
        response.resume();
        response.once("end", () => resolve(response.statusCode ?? 0));
      },
    );
    call.once("timeout", () => call.destroy(new Error("timed out")));
    call.once("error", reject);
    call.end(body);
  });
}
