import type { CacheChange, Informer } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { reportUnusedSecrets } from "./unused-secrets.js";

const secret = (name: string, type: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace: "argocd", labels: { "argocd.argoproj.io/secret-type": type } },
  data: { password: "aHVudGVyMg==" },
});

it("names credentials that nothing uses, once, and nothing of what they hold", () => {
  const handlers = new Set<(change: CacheChange) => void>();
  const stored = [secret("write", "repository-write"), secret("read", "repository")];
  const informer: Informer = {
    resource: types.secrets,
    get: () => undefined,
    list: () => stored,
    byIndex: () => [],
    onChange(handler) {
      handlers.add(handler);
      return () => void handlers.delete(handler);
    },
    synced: Promise.resolve(),
  };
  const said: string[] = [];
  const gauge = new Map<string, number>();
  const end = reportUnusedSecrets(informer, "argocd", {
    log: { ...silentLogger, warn: (message, fields) => void said.push(`${message} ${JSON.stringify(fields)}`) },
    metrics: {
      ...noMetrics,
      gauge: () => ({
        set: (value, labels) => void gauge.set(JSON.stringify(labels), value),
        remove: (labels) => void gauge.delete(JSON.stringify(labels)),
      }),
    },
  });
  const tell = (change: CacheChange) => {
    for (const handler of handlers) handler(change);
  };
  expect(said).toEqual([expect.stringContaining("argocd/write")]);
  expect(said.join()).not.toMatch(/hunter2|aHVudGVyMg/);
  tell({ type: "modified", object: secret("write", "repository-write") });
  tell({ type: "added", object: secret("scm", "scm-creds") });
  expect(said).toHaveLength(2);
  expect([...gauge.keys()]).toEqual([
    '{"name":"write","type":"repository-write"}',
    '{"name":"scm","type":"scm-creds"}',
  ]);
  tell({ type: "deleted", object: secret("write", "repository-write") });
  tell({ type: "modified", object: secret("scm", "repository") });
  expect(gauge.size).toBe(0);
  end();
  expect(handlers.size).toBe(0);
});
