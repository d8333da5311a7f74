import { virtualClock } from "@tiphys/clock";
import type { KubeObject } from "@tiphys/resources";
import { factPublisher } from "./facts.js";

const workflow = (phase?: string): KubeObject => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Workflow",
  metadata: { namespace: "demo", name: "build-1.0" },
  ...(phase ? { status: { phase } } : {}),
});

it("tells each phase of a workflow once", () => {
  const subjects: string[] = [];
  const publish = factPublisher({ publish: (subject) => void subjects.push(subject) }, virtualClock(new Date(0)));
  publish({ type: "added", object: workflow("Succeeded") });
  publish({ type: "modified", previous: workflow(), object: workflow("Running") });
  publish({ type: "modified", previous: workflow("Running"), object: workflow("Running") });
  publish({ type: "modified", previous: workflow("Running"), object: workflow("Failed") });
  expect(subjects).toEqual([
    "tiphys.facts.workflows.demo.build-1_0.Running",
    "tiphys.facts.workflows.demo.build-1_0.Failed",
  ]);
});
