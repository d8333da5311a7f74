import { serveJobs } from "@tiphys/child-process";
import { type RenderJob, renderJob } from "./pool.js";

// The program of a render child; tools/build.mjs bundles this file.
serveJobs((request) => renderJob(request as RenderJob));
