import { type Ask, serveJobs } from "@tiphys/child-process";
import { type RenderJob, renderApplicationSource } from "./app-source.js";
import { systemEnvironment } from "./environment.js";
import { createObjectStore } from "./object-store.js";
import { Later, type Question } from "./questions.js";

// The program of a render child; tools/build.mjs bundles this file.
const store = createObjectStore();

/** KiB of the stack as V8 was told, and the depth of templates that a stack of Node's own size holds. */
const NODE_STACK = 984;
const NODE_DEPTH = 1600;
const MOST_DEPTH = 20_000;
const stack = Number(/--stack-size=(\d+)/.exec(process.execArgv.join(" "))?.[1] ?? NODE_STACK);
// Half of what it would hold: what templates call takes some of it too.
const depth = Math.max(NODE_DEPTH, Math.min(MOST_DEPTH, Math.floor((NODE_DEPTH * stack) / NODE_STACK / 2)));

serveJobs((request, ask) => {
  const patient: Ask = (question) => {
    const answer = ask(question);
    if ((answer.data as { later?: boolean } | undefined)?.later) throw new Later(question as Question);
    return answer;
  };
  return renderApplicationSource(request as RenderJob, { store, ask: patient, environment: systemEnvironment, depth });
});
