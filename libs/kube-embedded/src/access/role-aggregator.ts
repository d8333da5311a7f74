import { deepEqual } from "@tiphys/canonical-json";
import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import { type LabelSelector, matchesSelector } from "@tiphys/kube";
import { aggregatedRules } from "@tiphys/kube-access";
import type { KubeObject } from "@tiphys/resources";
import type { Parts, WriteContext } from "../api/parts.js";
import { commitUpdate } from "../api/writes.js";
import { RepeatedWork } from "../repeated-work.js";

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
  private readonly work: RepeatedWork;
  private readonly unobserve: () => void;

  constructor(
    private readonly parts: Parts,
    clock: Clock,
  ) {
    this.work = new RepeatedWork(clock, () => this.run());
    this.unobserve = parts.store.observe(({ collection }) => {
      if (collection === CLUSTER_ROLES) this.work.wake();
    });
  }

  /** Resolves when no role waits for its rules. */
  async settle(): Promise<void> {
    this.work.wake();
    await this.work.idle();
  }

  async stop(): Promise<void> {
    this.unobserve();
    await this.work.stop();
  }

  private async run(): Promise<void> {
    const { store, kinds } = this.parts;
    const kind = kinds.ofCollection(CLUSTER_ROLES);
    if (!kind || this.work.stopped) return;
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
