export { CREATING_FAILED, EXECUTOR_FAILED } from "./assess.js";
export { type DecideInput, type Decision, decide, isFinal, LABEL } from "./decide.js";
export type { WorkflowAction } from "./engine.js";
export * from "./facts.js";
export * from "./manual.js";
export { nodeId, podName, wideNodeId } from "./names.js";
export { isDone, stamp } from "./nodes.js";
export { EXECUTOR_DIR, type ExecutorSettings, REPORT_TOKEN_ENV, REPORT_URL_ENV, SCRIPT_FILE } from "./pod.js";
export { type ValidateOptions, validateWorkflow, type WorkflowProblem } from "./validate.js";
