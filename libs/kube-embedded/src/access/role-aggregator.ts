import { deepEqual } from "@tiphys/canonical-json";
import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import { type LabelSelector, matchesSelector } from "@tiphys/kube";
import { aggregatedRules } from "@tiphys/kube-access";
import type { KubeObject } from "@tiphys/resources";
import type { Parts, WriteContext } from "../api/parts.js";
import { commitUpdate } from "../api/writes.js";

const CLUSTER_ROLES = "rbac.authorization.k8s.io/clusterroles";
const CONTEXT: WriteContext = {
  principal: { username: "system:apiserver", groups: ["system:masters"] },
  manager: "clusterrole-aggregation-controller",
  fieldValidation: "Ignore",
  dryRun: false,
  warn: () => undefined,
};

/** Keeps the rules of ClusterRoles with an aggregationRule: those of the roles it selects. */
export class RoleAggregator {
  private working: Promise<void> | undefined;
  private again = false;
  private stopped = false;
  private readonly unobserve: () => void;

  constructor(
    private readonly parts: Parts,
    private readonly clock: Clock,
  ) {
    this.unobserve = parts.store.observe(({ collection }) => {
      if (collection === CLUSTER_ROLES) this.wake();
    });
  }

  /** Resolves when no role waits for its rules. */
  async settle(): Promise<void> {
    this.wake();
    while (this.working) await this.working;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.unobserve();
    await this.working;
  }

  private wake(): void {
    if (this.stopped) return;
    if (this.working) {
      this.again = true;
      return;
    }
    this.again = false;
    this.working = this.clock.track(this.run()).finally(() => {
      this.working = undefined;
      if (this.again) this.wake();
    });
  }

  private async run(): Promise<void> {
    // One look for a burst of changes.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const { store, kinds } = this.parts;
    const kind = kinds.ofCollection(CLUSTER_ROLES);
    if (!kind || this.stopped) return;
    const roles = store.keys(CLUSTER_ROLES).flatMap((key) => store.byKey(CLUSTER_ROLES, key) ?? []);
    for (const role of roles) {
      if (role.metadata.deletionTimestamp) continue;
      const rules = aggregatedRules(role, roles, (selector, labels) =>
        matchesSelector(selector as LabelSelector, labels),
      );
      if (rules === undefined || deepEqual(rules, role["rules"] ?? [])) continue;
      const wanted: KubeObject = { ...role, metadata: { ...role.metadata }, rules };
      try {
        await commitUpdate(this.parts, { kind, name: role.metadata.name }, wanted, role, CONTEXT);
      } catch (error) {
        this.parts.log.warn("an aggregated role keeps its old rules", {
          role: role.metadata.name,
          error: messageOf(error),
        });
      }
    }
  }
}
