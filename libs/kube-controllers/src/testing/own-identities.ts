import type { Clock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createInformers, type Informers, KubeApiError, type KubeClient } from "@tiphys/kube";
import type { EmbeddedKube } from "@tiphys/kube-embedded";
import { silentLogger } from "@tiphys/telemetry";
import { actingAs, controllerRoles, ensureRoles, sharedReader } from "../index.js";

/** Informers for controllers that act with their own accounts, the same for an administrator, and what was refused to them. */
export interface OwnIdentities {
  readonly informers: Informers;
  readonly admin: Informers;
  /** Fails when a controller has asked for what its roles do not allow. */
  check(): void;
}

export async function ownIdentities(kube: EmbeddedKube, clock: Clock): Promise<OwnIdentities> {
  const refusals = new Set<string>();
  const note = (error: unknown) => {
    if (
      error instanceof KubeApiError &&
      error.status.code === 403 &&
      /^User "|: User "| User "system:/.test(error.message)
    )
      refusals.add(error.message);
    throw error;
  };
  /** `client` with its refusals noted. */
  const noting = (client: KubeClient): KubeClient => ({
    ...client,
    get: (...asked) => client.get(...asked).catch(note),
    list: (...asked) => client.list(...asked).catch(note),
    create: (...asked) => client.create(...asked).catch(note),
    replace: (...asked) => client.replace(...asked).catch(note),
    patch: (...asked) => client.patch(...asked).catch(note),
    delete: (...asked) => client.delete(...asked).catch(note),
    as: (principal) => noting(client.as(principal)),
  });
  await ensureRoles(kube.client(clusterAdmin), controllerRoles());
  const informers = createInformers({ client: noting(kube.client(sharedReader)), clock, log: silentLogger });
  return {
    informers,
    admin: actingAs(informers, clusterAdmin),
    check() {
      if (refusals.size > 0) throw new Error(`refused to controllers:\n${[...refusals].join("\n")}`);
    },
  };
}
