import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import type { KubeObject } from "@tiphys/resources";
import type { Parts, WriteContext } from "../api/parts.js";
import { commitUpdate } from "../api/writes.js";
import type { Tokens } from "./tokens.js";

const SECRETS = "/secrets";
const ACCOUNTS = "/serviceaccounts";
const TYPE = "kubernetes.io/service-account-token";
const ACCOUNT_NAME = "kubernetes.io/service-account.name";
const ACCOUNT_UID = "kubernetes.io/service-account.uid";

const CONTEXT: WriteContext = {
  principal: { username: "system:apiserver", groups: ["system:masters"] },
  manager: "kube-controller-manager",
  fieldValidation: "Ignore",
  dryRun: false,
  warn: () => undefined,
};

const isTokenSecret = (object: KubeObject) => object["type"] === TYPE;
const encoded = (text: string) => Buffer.from(text).toString("base64");

/** Fills Secrets that ask for a service account's token, and removes those whose account is gone. */
export class TokenSecrets {
  private readonly queue = new Map<string, { namespace: string; name: string }>();
  private working: Promise<void> | undefined;
  private stopped = false;
  private readonly unobserve: () => void;

  constructor(
    private readonly parts: Parts,
    private readonly tokens: Tokens,
    private readonly clock: Clock,
  ) {
    for (const key of parts.store.keys(SECRETS)) this.note(parts.store.byKey(SECRETS, key));
    this.unobserve = parts.store.observe(({ collection, type, object, previous }) => {
      if (collection === SECRETS && type !== "DELETED") this.note(object);
      else if (collection === ACCOUNTS && (type !== "MODIFIED" || previous?.metadata.uid !== object.metadata.uid)) {
        const { namespace = "", name } = object.metadata;
        for (const key of parts.store.keys(SECRETS, namespace)) {
          const secret = parts.store.byKey(SECRETS, key);
          if (secret?.metadata.annotations?.[ACCOUNT_NAME] === name) this.note(secret);
        }
      }
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.unobserve();
    await this.working;
  }

  private note(secret: KubeObject | undefined): void {
    if (!secret || !isTokenSecret(secret)) return;
    const { namespace = "", name } = secret.metadata;
    this.queue.set(`${namespace}/${name}`, { namespace, name });
    this.wake();
  }

  private wake(): void {
    if (this.working || this.stopped) return;
    this.working = this.clock.track(this.run()).finally(() => {
      this.working = undefined;
      if (this.queue.size > 0) this.wake();
    });
  }

  private async run(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (const [key, { namespace, name }] of this.queue) {
      if (this.stopped) return;
      this.queue.delete(key);
      try {
        await this.look(namespace, name);
      } catch (error) {
        this.parts.log.warn("a token Secret was not filled", { secret: key, error: messageOf(error) });
      }
    }
  }

  private async look(namespace: string, name: string): Promise<void> {
    const { store, kinds, rootCa } = this.parts;
    const secret = store.get(SECRETS, namespace, name);
    if (!secret || !isTokenSecret(secret)) return;
    const { annotations = {} } = secret.metadata;
    const account = store.get(ACCOUNTS, namespace, annotations[ACCOUNT_NAME] ?? "");
    const uid = annotations[ACCOUNT_UID];
    if (!account || (uid && uid !== account.metadata.uid)) {
      store.remove(SECRETS, secret);
      return;
    }
    const data: Record<string, string> = { ...secret["data"] };
    data["token"] ||= encoded(this.tokens.issueForSecret(account, name));
    data["ca.crt"] = encoded(rootCa);
    data["namespace"] = encoded(namespace);
    const isFull = (["token", "ca.crt", "namespace"] as const).every((key) => secret["data"]?.[key] === data[key]);
    if (isFull && uid === account.metadata.uid) return;
    const kind = kinds.ofCollection(SECRETS);
    if (!kind) return;
    const wanted = {
      ...secret,
      metadata: { ...secret.metadata, annotations: { ...annotations, [ACCOUNT_UID]: account.metadata.uid ?? "" } },
      data,
    };
    await commitUpdate(this.parts, { kind, namespace, name }, wanted, secret, CONTEXT);
  }
}
