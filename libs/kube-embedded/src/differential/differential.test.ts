import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { Agent } from "node:https";
import { systemClock } from "@tiphys/clock";
import { loadKubeconfig } from "@tiphys/kube";
import { silentLogger } from "@tiphys/telemetry";
import { bareServerKubeconfig, describeWith } from "@tiphys/testing";
import { createEmbeddedKube, type EmbeddedKube } from "../index.js";
import { raw } from "../testing.js";
import { groups } from "./cases/index.js";
import { levelled } from "./exceptions.js";
import { open } from "./open.js";
import { type Outcome, play, type Side } from "./play.js";

/** Groups in flight at a time; each waits for two servers most of the while. */
const AT_ONCE = 12;
const run = `d${randomBytes(3).toString("hex")}`;
const only = process.env["TIPHYS_DIFFERENTIAL"];
/** Where all outcomes are written to, for who wants to sum up differences. */
const report = process.env["TIPHYS_DIFFERENTIAL_REPORT"];
const chosen = groups.filter(({ name }) => !only || name.includes(only));

describeWith(["bare-api-server"], "the embedded API server and a real one answer alike", () => {
  let kube: EmbeddedKube;
  const sides: Omit<Side, "namespace">[] = [];
  const outcomes = new Map<string, readonly [Outcome[], Outcome[]]>();
  const failures = new Map<string, unknown>();

  const call = ({ connection, bearer }: Omit<Side, "namespace">, method: string, path: string, body?: object) =>
    raw({ ...connection, ...(bearer ? { bearer } : {}) }, method, path, body && JSON.stringify(body));

  beforeAll(async () => {
    kube = await createEmbeddedKube({ clock: systemClock(), random: randomBytes, log: silentLogger });
    const { kubeconfig } = await kube.listen({ host: "127.0.0.1", port: 0 });
    const own = await loadKubeconfig({ text: kubeconfig });
    const real = await loadKubeconfig({ text: await readFile(bareServerKubeconfig() ?? "", "utf8") });
    const bearer = typeof real.token === "object" ? real.token.reveal() : undefined;
    const agent = () => new Agent({ keepAlive: true, maxSockets: 64 });
    sides.push(
      { connection: own, run, agent: agent() },
      { connection: real, run, agent: agent(), ...(bearer ? { bearer } : {}) },
    );
    const queue = [...chosen.entries()];
    const worker = async () => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const [index, group] = next;
        const namespace = `${run}-${index}`;
        try {
          const [ours, theirs] = await Promise.all(
            sides.map(async (side) => {
              await call(side, "POST", "/api/v1/namespaces", { metadata: { name: namespace } });
              // Pods want the account that a controller makes where there is one.
              await call(side, "POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, {
                metadata: { name: "default" },
              });
              const played = await play(group, { ...side, namespace });
              await call(side, "DELETE", `/api/v1/namespaces/${namespace}`);
              return played;
            }),
          );
          outcomes.set(group.name, [ours ?? [], theirs ?? []]);
        } catch (error) {
          failures.set(group.name, error);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    if (report)
      await writeFile(
        report,
        JSON.stringify(
          Object.fromEntries([...outcomes].map(([name, both]) => [name, both.map((side) => side.map(levelled))])),
        ),
      );
  }, 300_000);
  afterAll(async () => {
    for (const { agent } of sides) agent.destroy();
    await kube.stop();
  });

  it("has every open difference among its steps", () => {
    const steps = new Set(groups.flatMap((group) => group.steps.map(({ name }) => `${group.name} › ${name}`)));
    console.log(`${steps.size} steps are played on both servers; ${open.size} differences are open`);
    expect([...open].filter((step) => !steps.has(step))).toEqual([]);
  });

  describe.each(chosen)("$name", ({ name: group, steps }) => {
    it.each(steps.map((step, index) => ({ ...step, index })))("$name", ({ index, uncompared }) => {
      if (failures.has(group)) throw failures.get(group);
      const [ours, theirs] = outcomes.get(group) ?? [[], []];
      if (uncompared) {
        expect([ours[index]?.code, theirs[index]?.code].every((code) => code && code < 400)).toBe(true);
        return;
      }
      const step = `${group} › ${steps[index]?.name}`;
      if (open.has(step)) expect([ours[index]?.code, theirs[index]?.code]).not.toContain(undefined);
      else expect(levelled(ours[index])).toEqual(levelled(theirs[index]));
    });
  });
});
