import { FailedPreconditionError, InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import { isAlreadyExists, isNotFound, type KubeClient } from "@tiphys/kube";
import { limits } from "@tiphys/limits";
import { apiVersionOf, type KubeObject, types, type WorkflowOutputs } from "@tiphys/resources";
import type { Secret } from "@tiphys/secret";
import { isFinal } from "@tiphys/workflow";
import { verifyReportToken } from "./report-token.js";

export const RESULT_LABELS = {
  workflow: "workflows.argoproj.io/workflow",
  completed: "workflows.argoproj.io/report-outputs-completed",
} as const;

/** What an executor says about its pod. */
export interface TaskReport {
  readonly phase?: "Error" | "Failed";
  readonly message?: string;
  readonly outputs?: WorkflowOutputs;
  /** `done/all`; a report of nothing else comes while the command runs. */
  readonly progress?: string;
}

/** The service that executors call: stores a report as the WorkflowTaskResult of its node. Safe to repeat. */
export interface TaskResultService {
  report(token: string, report: unknown): Promise<void>;
}

export function createTaskResultService(deps: { client: KubeClient; signingKey: Secret }): TaskResultService {
  const { client, signingKey } = deps;
  return {
    async report(token, body) {
      const subject = verifyReportToken(signingKey, token);
      const report = checked(body);
      const { namespace } = subject;
      const workflow = await client
        .get(types.workflows, { namespace, name: subject.workflow })
        .catch((error: unknown) => {
          if (isNotFound(error)) throw new FailedPreconditionError(`workflow ${namespace}/${subject.workflow} is gone`);
          throw error;
        });
      if (workflow.metadata.uid !== subject.uid || isFinal(workflow["status"])) {
        throw new FailedPreconditionError(
          `workflow ${namespace}/${subject.workflow} is over: the report comes too late`,
        );
      }
      const result: KubeObject = {
        apiVersion: apiVersionOf(types.workflowTaskResults),
        kind: types.workflowTaskResults.kind,
        metadata: {
          name: subject.node,
          namespace,
          labels: { [RESULT_LABELS.workflow]: subject.workflow, [RESULT_LABELS.completed]: String(!underway(report)) },
          ownerReferences: [
            { apiVersion: workflow.apiVersion, kind: workflow.kind, name: workflow.metadata.name, uid: subject.uid },
          ],
        },
        ...report,
      };
      try {
        await client.create(types.workflowTaskResults, result);
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        const { apiVersion: _, kind: __, ...patch } = result;
        await client.patch(
          types.workflowTaskResults,
          { namespace, name: subject.node },
          { type: "merge", body: patch },
        );
      }
    },
  };
}

const LONGEST_MESSAGE = 4096;

const underway = ({ progress, outputs, phase }: TaskReport): boolean =>
  progress !== undefined && outputs === undefined && phase === undefined;

function checked(body: unknown): TaskReport {
  if (typeof body !== "object" || body === null) throw new InvalidArgumentError("", "a report must be an object");
  const { phase, message, outputs, progress } = body as Record<string, unknown>;
  if (phase !== undefined && phase !== "Error" && phase !== "Failed")
    throw new InvalidArgumentError("phase", "must be Error or Failed");
  if (message !== undefined && typeof message !== "string") throw new InvalidArgumentError("message", "must be a text");
  if (progress !== undefined && !(typeof progress === "string" && /^\d{1,9}\/\d{1,9}$/.test(progress)))
    throw new InvalidArgumentError("progress", "must be done/all, such as 3/10");
  return {
    ...(progress ? { progress } : {}),
    ...(phase ? { phase } : {}),
    ...(message ? { message: message.slice(0, LONGEST_MESSAGE) } : {}),
    ...(outputs === undefined ? {} : { outputs: checkedOutputs(outputs) }),
  };
}

function checkedOutputs(outputs: unknown): WorkflowOutputs {
  if (typeof outputs !== "object" || outputs === null) throw new InvalidArgumentError("outputs", "must be an object");
  const { result, exitCode, parameters } = outputs as Record<string, unknown>;
  for (const [name, value] of Object.entries({ result, exitCode })) {
    if (value !== undefined && typeof value !== "string")
      throw new InvalidArgumentError(`outputs.${name}`, "must be a text");
  }
  if (typeof result === "string" && result.length > limits.taskResultBytes) {
    throw new LimitExceededError(`outputs.result is longer than ${limits.taskResultBytes} bytes`);
  }
  if (parameters !== undefined && !Array.isArray(parameters))
    throw new InvalidArgumentError("outputs.parameters", "must be a list");
  return {
    ...(typeof result === "string" ? { result } : {}),
    ...(typeof exitCode === "string" ? { exitCode } : {}),
    ...(parameters
      ? {
          parameters: (parameters as Record<string, unknown>[]).map((parameter, index) => {
            const { name, value, globalName } = parameter ?? {};
            if (typeof name !== "string" || typeof value !== "string") {
              throw new InvalidArgumentError(`outputs.parameters[${index}]`, "must have a name and a value as texts");
            }
            return { name, value, ...(typeof globalName === "string" ? { globalName } : {}) };
          }),
        }
      : {}),
  };
}
