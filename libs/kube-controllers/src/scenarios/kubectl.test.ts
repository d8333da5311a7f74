import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { describeWith, programPath, realClusterKubeconfig } from "@tiphys/testing";
import { type ServedCluster, servedCluster } from "../testing/served-cluster.js";
import { type KubectlStep, kubectlSteps } from "./kubectl-steps.js";

interface Called {
  readonly code: number;
  readonly output: string;
}

const namespace = `k${randomBytes(3).toString("hex")}`;

/** What a cluster makes up by itself, and how long ago things were. */
const normalised = (output: string): string =>
  output
    .replaceAll(namespace, "NAMESPACE")
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "UID")
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "TIME")
    .replace(/resourceVersion: "\d+"/g, "resourceVersion: N")
    .replace(/\b10\.96\.\d+\.\d+\b/g, "CLUSTER-IP")
    .replace(/\s+(\d+[smh])+(?=\s|$)/gm, " AGE")
    .replace(/Warning: .* is stored only.*\n/g, "")
    .replace(/[ \t]+/g, " ");

const fieldsOf = (output: string): string =>
  output
    .split("\n")
    .filter((line) => /^(GROUP|KIND|VERSION|FIELD)|\t<.*>( -required-)?$/.test(line))
    .join("\n");

function compared(step: KubectlStep, { code, output }: Called): unknown {
  if (step.compare === "code") return code;
  return { code, output: normalised(step.compare === "fields" ? fieldsOf(output) : output) };
}

function kubectl(kubeconfig: string, home: string, { args, input, env }: KubectlStep): Promise<Called> {
  return new Promise((resolve) => {
    const running = execFile(
      programPath("kubectl") ?? "",
      ["--kubeconfig", kubeconfig, ...args.replaceAll("NS", namespace).split(" ")],
      { timeout: 40_000, env: { PATH: process.env["PATH"], HOME: home, ...env } },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, output: stdout + stderr }),
    );
    running.stdin?.end((input ?? "").replaceAll("NS", namespace));
  });
}

describeWith(["kubectl"], "kubectl on the embedded cluster", () => {
  const sides: string[] = [];
  const outcomes: Called[][] = [];
  let cluster: ServedCluster | undefined;

  beforeAll(async () => {
    cluster = await servedCluster();
    const own = cluster.kubeconfig;
    const { home } = cluster;
    sides.push(own, ...[realClusterKubeconfig() ?? []].flat());
    await Promise.all(
      sides.map(async (side, index) => {
        outcomes[index] = [];
        await kubectl(side, home, { args: "create namespace NS" });
        await kubectl(side, home, { args: "wait --for=create serviceaccount/default -n NS --timeout=10s" });
        for (const step of kubectlSteps) {
          const skipped = index > 0 && step.embedded;
          outcomes[index]?.push(skipped ? { code: 0, output: "" } : await kubectl(side, home, step));
        }
        await kubectl(side, home, { args: "delete namespace NS --wait=false" });
      }),
    );
  }, 280_000);
  afterAll(() => cluster?.stop());

  it.each(kubectlSteps.map((step, index) => ({ ...step, index })))("$index kubectl $args", ({ index, ...step }) => {
    const own = outcomes[0]?.[index];
    expect(own).toMatchObject({ code: step.code ?? 0 });
    if (step.says) expect(own?.output).toMatch(step.says);
    const real = outcomes[1]?.[index];
    if (own && real && !step.embedded) expect(compared(step, own)).toEqual(compared(step, real));
  });
});
