import { InvalidArgumentError } from "@tiphys/errors";
import type { Journal } from "@tiphys/journal";
import { tiphysControllerV1Controller as controller } from "@tiphys/proto";
import { type ServedService, serve } from "@tiphys/rpc";

const DEFAULT_LIMIT = 20;

/** tiphys.controller.v1.ControllerService over a service's journal, for the resources whose controllers it runs. */
export function explainService(journal: Journal, resources: readonly string[]): ServedService {
  return serve(controller.ControllerServiceDefinition, {
    async explain({ resource = "", namespace, name, limit }) {
      if (!resources.includes(resource))
        throw new InvalidArgumentError(
          "resource",
          `"${resource}" is not controlled here; one of ${resources.join(", ")}`,
        );
      if (!name) throw new InvalidArgumentError("name", "must not be empty");
      const subject = [resource, ...(namespace ? [namespace] : []), name].join("/");
      const entries = await journal.read(subject, { limit: limit || DEFAULT_LIMIT });
      return {
        decisions: entries.map(({ position, at, decision, reasons, change }) => ({
          position,
          at: at.toISOString(),
          actions: actionsOf(decision),
          reasons: reasons.map((reason) => ({ ...reason })),
          change: change ?? "",
        })),
      };
    },
  });
}

function actionsOf(decision: unknown): string[] {
  const actions = (decision as { actions?: unknown } | null)?.actions;
  return Array.isArray(actions) ? actions.map(String) : [];
}
