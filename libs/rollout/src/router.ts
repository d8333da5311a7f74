import type { KubeObject, ResourceType, Rollout } from "@tiphys/resources";
import type { FieldProblem } from "./validate.js";

/** One write to an object of a traffic router. */
export type RouterWrite =
  | { readonly verb: "create"; readonly type: ResourceType; readonly object: KubeObject }
  | { readonly verb: "merge"; readonly type: ResourceType; readonly name: string; readonly body: object };

/** Objects by `resource/name`, as the pass has read them; undefined is absent. */
export type ObjectsByName = Readonly<Record<string, KubeObject | undefined>>;

/** One way to move traffic. Both functions are pure; the controller reads what `objects` names and makes the writes. */
export interface TrafficRouter {
  readonly name: string;
  /** True when the Rollout asks for this router. */
  wanted(rollout: Rollout): boolean;
  /** The objects to read. */
  objects(rollout: Rollout): readonly { readonly type: ResourceType; readonly name: string }[];
  /** What keeps the router from working, such as an Ingress that does not exist. */
  problems(rollout: Rollout, objects: ObjectsByName): readonly FieldProblem[];
  /** The writes that make the canary's share `weight`; none when it is so already. */
  writes(rollout: Rollout, objects: ObjectsByName, weight: number): readonly RouterWrite[];
}
