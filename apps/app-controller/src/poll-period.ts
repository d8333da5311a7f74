import type { KubeObject } from "@tiphys/resources";
import { parseDuration } from "@tiphys/sync";

/** How often repositories are asked without a reason: the period, plus up to the jitter. */
export interface PollPeriod {
  readonly milliseconds: number;
  readonly jitterMilliseconds: number;
}

/** Applications are looked at this often even where polling is switched off. */
const NEVER = 24 * 3_600_000;

/** The period that `argocd-cm` asks for by `timeout.reconciliation` and its jitter; what it does not say stays as given. */
export function pollPeriod(configMap: KubeObject | undefined, usual: PollPeriod): PollPeriod {
  const data: Record<string, string> = configMap?.["data"] ?? {};
  const period = parseDuration(data["timeout.reconciliation"]?.trim() ?? "");
  const jitter = parseDuration(data["timeout.reconciliation.jitter"]?.trim() ?? "");
  return {
    milliseconds: period === undefined ? usual.milliseconds : period || NEVER,
    jitterMilliseconds: jitter ?? usual.jitterMilliseconds,
  };
}
