export * from "./archiver.js";
export * from "./create.js";
export { REPORT_PATH, reportListener } from "./report-server.js";
export type { TaskReport, TaskResultService } from "./task-results.js";
