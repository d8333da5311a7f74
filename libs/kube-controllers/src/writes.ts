import { messageOf } from "@tiphys/errors";
import { type EventRecorder, isConflict, isNotFound, type KubeClient } from "@tiphys/kube";
import { type KubeObject, keyOf, keyText, type ResourceType } from "@tiphys/resources";

/** What to tell users when a write has succeeded, or has not. */
export interface Told {
  readonly about: KubeObject;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  /** `{name}` becomes the name of the object written. */
  readonly message: string;
  /** Reason of the Warning when the write fails; its message is `Error <verb>: <problem>`. */
  readonly failure?: { readonly reason: string; readonly verb: string };
}

/** One write to the cluster, safe to repeat. */
export type Write =
  | { readonly do: "create"; readonly type: ResourceType; readonly object: KubeObject; readonly tell?: Told }
  | {
      readonly do: "patch";
      readonly type: ResourceType;
      readonly object: KubeObject;
      readonly body: Record<string, unknown>;
      readonly subresource?: string;
      /** Holds whatever else has changed on the object. */
      readonly unlocked?: boolean;
      readonly tell?: Told;
    }
  | {
      readonly do: "delete";
      readonly type: ResourceType;
      readonly object: KubeObject;
      readonly propagation?: "Foreground" | "Background";
      readonly gracePeriodSeconds?: number;
      readonly tell?: Told;
    }
  | { readonly do: "tell"; readonly tell: Told };

/** The object as the write left it; undefined where it left none. */
export async function perform(
  write: Write,
  deps: { readonly client: KubeClient; readonly events: EventRecorder; readonly manager: string },
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  const { tell } = write;
  try {
    const written = await send(write, deps, signal);
    if (tell) {
      const name = written?.metadata.name ?? (write.do === "delete" ? write.object.metadata.name : "");
      deps.events.event(tell.about, tell.type, tell.reason, tell.message.replaceAll("{name}", name));
    }
    return written;
  } catch (error) {
    if (tell?.failure) {
      deps.events.event(tell.about, "Warning", tell.failure.reason, `Error ${tell.failure.verb}: ${messageOf(error)}`);
    }
    throw error;
  }
}

async function send(
  write: Write,
  { client, manager }: { readonly client: KubeClient; readonly manager: string },
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  const options = { fieldManager: manager, signal };
  switch (write.do) {
    case "create":
      return client.create(write.type, write.object, options);
    case "patch":
      // Locked: what was decided holds only for the version it was decided on.
      return client.patch(
        write.type,
        keyOf(write.object),
        {
          type: "merge",
          body: {
            ...write.body,
            ...(write.unlocked
              ? {}
              : {
                  metadata: {
                    ...(write.body["metadata"] as object | undefined),
                    resourceVersion: write.object.metadata.resourceVersion,
                  },
                }),
          },
        },
        { ...options, ...(write.subresource ? { subresource: write.subresource } : {}) },
      );
    case "delete":
      try {
        await client.delete(write.type, keyOf(write.object), {
          propagation: write.propagation ?? "Background",
          ...(write.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: write.gracePeriodSeconds }),
          ...(write.object.metadata.uid ? { preconditions: { uid: write.object.metadata.uid } } : {}),
          signal,
        });
      } catch (error) {
        // Gone already, or another object has the name by now.
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
      return undefined;
    case "tell":
      return undefined;
  }
}

export function describeWrite(write: Write): string {
  if (write.do === "tell") return `tell ${write.tell.reason}`;
  const { kind, metadata } = write.object;
  const name = metadata.name || `${metadata.generateName ?? ""}*`;
  const what = `${kind} ${keyText({ ...metadata, name })}`;
  return write.do === "patch" && write.subresource ? `patch ${write.subresource} of ${what}` : `${write.do} ${what}`;
}
