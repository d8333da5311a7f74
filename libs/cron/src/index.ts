export { parseGoDuration } from "./duration.js";
export { type LatestRun, latestRun } from "./latest-run.js";
export { type ParseOptions, parseSchedule } from "./parse.js";
export { InvalidScheduleError, type Schedule } from "./schedule.js";
export { isTimeZone, rfc3339 } from "./time-zone.js";
