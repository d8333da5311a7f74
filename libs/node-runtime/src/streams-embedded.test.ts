import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeWith } from "@tiphys/testing";
import { embeddedCluster } from "./testing/embedded-cluster.js";
import { describeStreams } from "./testing/stream-scenarios.js";

describeWith(["kubectl", "bwrap"], "kubectl's streams on the embedded API", () =>
  describeStreams(connect, ["websocket", "spdy"]),
);
describeWith(["kubectl"], "kubectl's streams into containers of unshare", () =>
  describeStreams(connect, ["websocket"], { sandbox: "unshare" }),
);

async function connect() {
  const cluster = await embeddedCluster();
  const { kubeconfig } = await cluster.kube.listen({ host: "127.0.0.1", port: 0 });
  const dir = mkdtempSync(join(tmpdir(), "tiphys-kubeconfig-"));
  const path = join(dir, "kubeconfig");
  writeFileSync(path, kubeconfig, { mode: 0o600 });
  return {
    ...cluster,
    kubeconfig: path,
    async close() {
      await cluster.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
