import { type Ask, serveJobs } from "@tiphys/child-process";
import { type RenderJob, renderApplicationSource } from "./app-source.js";
import { systemEnvironment } from "./environment.js";
import { createObjectStore } from "./object-store.js";
import { Later, type Question } from "./questions.js";

// The program of a render child; tools/build.mjs bundles this file.
const store = createObjectStore();

serveJobs((request, ask) => {
  const patient: Ask = (question) => {
    const answer = ask(question);
    if ((answer.data as { later?: boolean } | undefined)?.later) throw new Later(question as Question);
    return answer;
  };
  return renderApplicationSource(request as RenderJob, { store, ask: patient, environment: systemEnvironment });
});
