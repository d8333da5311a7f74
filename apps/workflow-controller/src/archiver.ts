import type { Archive } from "@tiphys/archive";
import type { ArtifactStore } from "@tiphys/artifacts";
import { codeOf } from "@tiphys/errors";
import { changeOf } from "@tiphys/identity";
import type { KubeClient } from "@tiphys/kube";
import type { Queue } from "@tiphys/queue";
import { type KubeObject, types } from "@tiphys/resources";
import type { Service } from "@tiphys/service-host";
import type { Logger } from "@tiphys/telemetry";

/** One finished workflow on its way into the archive. */
export interface ArchiveJob {
  readonly object: KubeObject;
}

export interface ArchiverDeps {
  readonly client: KubeClient;
  readonly archive: Archive;
  readonly artifacts: ArtifactStore;
  readonly queue: Queue<ArchiveJob>;
  readonly log: Logger;
}

/** Keeps finished workflows and their logs, in the background: a slow database never holds up a running workflow. */
export interface Archiver extends Service {
  /** An archive whose `put` is a durable job. */
  readonly archive: Archive;
}

/** Key of a pod's log in the artifact store. */
export const logKey = (namespace: string, workflow: string, pod: string): string =>
  `logs/${namespace}/${workflow}/${pod}/main.log`;

export function createArchiver({ client, archive, artifacts, queue, log }: ArchiverDeps): Archiver {
  const save = async ({ object }: ArchiveJob, signal: AbortSignal) => {
    const { uid = "", name, namespace = "", labels = {} } = object.metadata;
    const status = object["status"] ?? {};
    await saveLogs(object, signal);
    const change = changeOf(object)?.id;
    await archive.put({
      uid,
      kind: object.kind,
      namespace,
      name,
      phase: status.phase ?? "",
      ...(status.startedAt ? { startedAt: new Date(status.startedAt) } : {}),
      ...(status.finishedAt ? { finishedAt: new Date(status.finishedAt) } : {}),
      labels,
      ...(change ? { change } : {}),
      object,
    });
  };

  const saveLogs = async ({ metadata: { name, namespace = "" } }: KubeObject, signal: AbortSignal) => {
    const { items } = await client.list(types.pods, {
      namespace,
      labelSelector: `workflows.argoproj.io/workflow=${name}`,
    });
    for (const pod of items) {
      try {
        const body = client.logs({ namespace, name: pod.metadata.name }, { container: "main" }, signal);
        await artifacts.put(logKey(namespace, name, pod.metadata.name), body);
      } catch (error) {
        // A pod that never started has no log; it must not keep the workflow out of the archive.
        if (codeOf(error) !== "NotFound" && codeOf(error) !== "InvalidArgument") throw error;
        log.debug("pod has no log", { pod: pod.metadata.name, error });
      }
    }
  };

  return {
    name: "workflow-archiver",
    start: () => queue.process((job, _attempt, signal) => save(job, signal)),
    stop: () => queue.close(),
    ready: async () => undefined,
    archive: {
      ...archive,
      put: (record) => queue.add(record.uid, { object: record.object as KubeObject }),
    },
  };
}
