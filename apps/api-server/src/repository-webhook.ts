import { createHmac, timingSafeEqual } from "node:crypto";
import { codeOf, InvalidArgumentError, LimitExceededError, UnauthenticatedError } from "@tiphys/errors";
import { changeOfCommit } from "@tiphys/identity";
import type { KubeClient } from "@tiphys/kube";
import { limits } from "@tiphys/limits";
import { types } from "@tiphys/resources";
import type { RestCall, Route } from "./router.js";

export type RefreshRepository = (request: {
  url: string;
  revision?: string;
  change?: string;
}) => Promise<readonly string[]>;

/**
 * POST /api/webhook: a repository says that it has new commits. GitHub's signature and GitLab's token are checked when
 * `argocd-secret` holds `webhook.github.secret` or `webhook.gitlab.secret`; without a secret the call can only cause a
 * comparison, as in the original.
 */
export function repositoryWebhook(client: KubeClient, namespace: string, refresh: RefreshRepository): Route {
  return {
    method: "POST",
    path: "/api/webhook",
    open: true,
    anyContent: true,
    async handler(call) {
      const body = await call.raw(limits.webhookBodyBytes);
      const secret = await client.get(types.secrets, { namespace, name: "argocd-secret" }).catch((error) => {
        if (codeOf(error) === "NotFound") return undefined;
        throw error;
      });
      verify(call, body, (key) => {
        const value = secret?.["data"]?.[key];
        return value === undefined ? undefined : Buffer.from(value, "base64");
      });
      const push = parsePush(body);
      const applications: string[] = [];
      for (const url of push.urls)
        applications.push(...(await refresh({ url, revision: push.revision, change: push.change })));
      return { applications: [...new Set(applications)] };
    },
  };
}

function verify(call: RestCall, body: Buffer, secretOf: (key: string) => Buffer | undefined): void {
  const header = (name: string) => {
    const value = call.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  };
  const isGitLab = header("x-gitlab-event") !== undefined;
  const github = secretOf("webhook.github.secret");
  const gitlab = secretOf("webhook.gitlab.secret");
  if (isGitLab && gitlab && !same(header("x-gitlab-token") ?? "", gitlab.toString())) {
    throw new UnauthenticatedError("the webhook's token is not the configured one");
  }
  if (!isGitLab && github) {
    const expected = `sha256=${createHmac("sha256", github).update(body).digest("hex")}`;
    if (!same(header("x-hub-signature-256") ?? "", expected)) {
      throw new UnauthenticatedError("the webhook's signature does not fit the configured secret");
    }
  }
}

function same(a: string, b: string): boolean {
  const digest = (text: string) => createHmac("sha256", "compare").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

interface Push {
  readonly urls: readonly string[];
  readonly revision?: string;
  readonly change?: string;
}

/** Repository addresses and branch of a push event; the fields of GitHub, Gitea and GitLab. */
function parsePush(body: Buffer): Push {
  if (body.length > limits.webhookBodyBytes) throw new LimitExceededError("the webhook's body is too large");
  // biome-ignore lint/suspicious/noExplicitAny: each field is checked where it is read
  let event: Record<string, any>;
  try {
    event = JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw new InvalidArgumentError("body", "is not JSON", { cause });
  }
  const repository = event?.["repository"] ?? event?.["project"];
  if (!repository) throw new InvalidArgumentError("repository", "the event names no repository");
  const fields = ["clone_url", "ssh_url", "html_url", "git_url", "git_http_url", "git_ssh_url", "url"];
  const urls = [
    ...new Set(fields.map((field) => repository[field]).filter((url): url is string => typeof url === "string")),
  ];
  if (urls.length === 0)
    throw new InvalidArgumentError("repository", "has none of the address fields " + fields.join(", "));
  const ref: unknown = event["ref"];
  const message: unknown = event["head_commit"]?.message ?? event["commits"]?.at?.(-1)?.message;
  const change = typeof message === "string" ? changeOfCommit(message) : undefined;
  return {
    urls,
    ...(typeof ref === "string" ? { revision: ref.replace(/^refs\/(heads|tags)\//, "") } : {}),
    ...(change ? { change } : {}),
  };
}
