import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { KubeObject } from "@tiphys/resources";
import { programPath } from "@tiphys/testing";

const run = promisify(execFile);

export interface Kubectl {
  (args: readonly string[], input?: string): Promise<{ code: number; output: string }>;
  /** Objects as JSON; `what` is a resource and what may follow it, such as `pods -n demo`. */
  get(what: string): Promise<readonly KubeObject[]>;
  one(what: string): Promise<KubeObject>;
}

/** kubectl with the kubeconfig of a data folder: the stock client, nothing of ours. */
export function kubectlOf(data: string): Kubectl {
  const program = programPath("kubectl")!;
  const call = (args: readonly string[], input?: string) => {
    const running = run(program, ["--kubeconfig", join(data, "kubeconfig"), ...args], {
      timeout: 30_000,
      maxBuffer: 64 * 1024 * 1024,
      env: { PATH: process.env["PATH"], HOME: data },
    });
    running.child.stdin?.end(input ?? "");
    return running.then(
      ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
      (error) => ({ code: Number(error.code ?? 1), output: `${error.stdout ?? ""}${error.stderr ?? ""}` }),
    );
  };
  const json = async (what: string) => {
    const { code, output } = await call(["get", ...what.split(" "), "-o", "json"]);
    if (code !== 0) throw new Error(`kubectl get ${what}: ${output}`);
    return JSON.parse(output);
  };
  return Object.assign(call, { get: async (what: string) => (await json(what)).items, one: json });
}
