import { clone } from "@tiphys/canonical-json";
import {
  type AnalysisRun,
  type AnalysisTemplate,
  type CanaryStrategy,
  type KubeObject,
  type ReplicaSet,
  type Rollout,
  types,
} from "@tiphys/resources";
import { abortPatch, promotePatch, type RolloutPatch, retryPatch, undoPatch } from "./actions.js";
import { rolloutInfo } from "./info.js";
import type { RolloutAction, RolloutPlan, RolloutState } from "./pass.js";
import { planRollout } from "./plan.js";
import { hashOf, revisionOf } from "./replica-sets.js";
import type { TrafficRouter } from "./router.js";

const START = Date.parse("2026-01-01T00:00:00Z");
const CHANGE = "01JGFJJZ00TESTTESTTESTTEST";

// biome-ignore lint/suspicious/noExplicitAny: a JSON merge patch is plain data
function merge(target: any, patch: any): any {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const result = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merge(result[key] ?? {}, value);
  }
  return result;
}

/** A Rollout, its ReplicaSets and pods that become ready at once unless they are broken. */
class World {
  now = new Date(START);
  rollout: Rollout;
  sets: ReplicaSet[] = [];
  orphans: ReplicaSet[] = [];
  runs: AnalysisRun[] = [];
  services: Record<string, KubeObject> = {};
  templates: Record<string, AnalysisTemplate> = {};
  events: string[] = [];
  brokenImages = new Set<string>();
  last: RolloutPlan | undefined;
  lowest = Number.POSITIVE_INFINITY;
  highest = 0;
  #born = 0;

  constructor(canary: CanaryStrategy, spec: object = {}) {
    this.rollout = {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Rollout",
      metadata: {
        name: "web",
        namespace: "shop",
        uid: "u1",
        generation: 1,
        annotations: { "tiphys.dev/change": CHANGE },
      },
      spec: {
        replicas: 5,
        selector: { matchLabels: { app: "web" } },
        template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "web:1" }] } },
        strategy: { canary },
        ...spec,
      },
    };
  }
  state(): RolloutState {
    return {
      rollout: this.rollout,
      replicaSets: this.sets,
      orphans: this.orphans,
      services: this.services,
      routerObjects: {
        weight: { apiVersion: "v1", kind: "Weight", metadata: { name: "weight" }, weight: this.weights.at(-1) },
      },
      ...(this.podList.length > 0 ? { pods: this.podList } : {}),
      analysisRuns: this.runs,
      templates: this.templates,
    };
  }
  edit(change: (spec: Rollout["spec"]) => void) {
    this.rollout = clone(this.rollout);
    change(this.rollout.spec);
    this.rollout.metadata.generation = (this.rollout.metadata.generation ?? 0) + 1;
  }
  /** A router that keeps its weight in one object. */
  router: TrafficRouter = {
    name: "fake",
    wanted: (rollout) => rollout.spec.strategy?.canary?.trafficRouting !== undefined,
    objects: () => [],
    problems: () => [],
    writes: (_rollout, objects, weight) =>
      objects["weight"]?.["weight"] === weight
        ? []
        : [{ verb: "merge", type: types.ingresses, name: "weight", body: { weight } }],
  };
  weights: number[] = [];
  evicted: string[] = [];
  podList: KubeObject[] = [];
  image(image: string) {
    this.edit((spec) => {
      (spec.template as { spec: { containers: { image: string }[] } }).spec.containers[0] = {
        name: "web",
        image,
      } as never;
    });
  }
  patch(patches: readonly RolloutPatch[]) {
    for (const { type, body, subresource } of patches) {
      if (type === "json") {
        const [operation] = body as { path: string; value: unknown }[];
        this.edit((spec) =>
          Object.assign(spec, { [(operation?.path ?? "").split("/").pop() as string]: operation?.value }),
        );
      } else {
        this.rollout = merge(this.rollout, body);
        if (!subresource) this.rollout.metadata.generation = (this.rollout.metadata.generation ?? 0) + 1;
      }
    }
  }
  apply(action: RolloutAction) {
    const find = (name: string) => this.sets.find((set) => set.metadata.name === name) as ReplicaSet;
    switch (action.kind) {
      case "createReplicaSet": {
        const set = clone(action.set);
        set.metadata.uid = `rs${++this.#born}`;
        set.metadata.creationTimestamp = new Date(START + this.#born * 1000).toISOString();
        this.sets.push(set);
        break;
      }
      case "adoptReplicaSet":
        this.sets.push(action.set);
        this.orphans = this.orphans.filter((set) => set !== action.set);
        break;
      case "patchReplicaSet": {
        const set = find(action.name);
        if (action.patch.replicas !== undefined) set.spec.replicas = action.patch.replicas;
        set.metadata.annotations = merge(set.metadata.annotations, action.patch.annotations ?? {});
        break;
      }
      case "route":
        this.weights.push((action.write as { body: { weight: number } }).body.weight);
        break;
      case "selectPods": {
        const service = this.services[action.service] as KubeObject;
        service["spec"].selector = { "rollouts-pod-template-hash": action.hash };
        service.metadata.annotations = { "argo-rollouts.argoproj.io/managed-by-rollouts": action.owner };
        break;
      }
      case "evictPod":
        this.podList = this.podList.map((pod) =>
          pod.metadata.name === action.name
            ? { ...pod, metadata: { ...pod.metadata, creationTimestamp: this.now.toISOString() } }
            : pod,
        );
        this.evicted.push(action.name);
        break;
      case "deleteReplicaSet":
        this.sets = this.sets.filter((set) => set.metadata.name !== action.name);
        break;
      case "createRun":
        this.runs.push({ ...clone(action.run), status: { phase: "Running" } });
        break;
      case "terminateRun":
        this.runs = this.runs.map((run) =>
          run.metadata.name === action.name
            ? { ...run, spec: { ...run.spec, terminate: true }, status: { phase: "Successful" } }
            : run,
        );
        break;
      case "deleteRun":
        this.runs = this.runs.filter((run) => run.metadata.name !== action.name);
        break;
      case "event":
        this.events.push(`${action.reason}: ${action.message}`);
    }
  }
  /** The ReplicaSet controller and the kubelet. */
  pods() {
    for (const set of this.sets) {
      const replicas = set.spec.replicas ?? 1;
      const image = set.spec.template.spec["containers"][0].image;
      const available = this.brokenImages.has(image) ? 0 : replicas;
      set.status = { replicas, readyReplicas: available, availableReplicas: available };
    }
    const available = this.sets.reduce((sum, set) => sum + (set.status?.availableReplicas ?? 0), 0);
    const total = this.sets.reduce((sum, set) => sum + (set.spec.replicas ?? 0), 0);
    this.lowest = Math.min(this.lowest, available);
    this.highest = Math.max(this.highest, total);
  }
  /** Passes until nothing changes any more, optionally dying after `crashAfter` writes (the status is then not stored). */
  settle(crashAfter = Number.POSITIVE_INFINITY) {
    let writes = 0;
    for (let turn = 0; turn < 60; turn++) {
      const plan = planRollout(this.state(), this.now, [this.router]);
      this.last = plan;
      const statusChanges = JSON.stringify(plan.status) !== JSON.stringify(this.rollout.status ?? {});
      const acts = plan.actions.filter((action) => action.kind !== "event");
      if (acts.length === 0 && !statusChanges) return;
      for (const action of plan.actions) {
        if (writes++ >= crashAfter) return;
        this.apply(action);
      }
      if (writes++ >= crashAfter) return;
      this.rollout = { ...merge(this.rollout, plan.patch ?? {}), status: clone(plan.status) };
      this.pods();
    }
    throw new Error(`does not settle: ${JSON.stringify(this.last?.actions)} ${JSON.stringify(this.rollout.status)}`);
  }
  pass(seconds: number) {
    this.now = new Date(this.now.getTime() + seconds * 1000);
    this.settle();
  }
  verdict(phase: "Successful" | "Failed" | "Error" | "Inconclusive", message?: string) {
    const run = this.runs.at(-1) as AnalysisRun;
    this.runs = [...this.runs.slice(0, -1), { ...run, status: { phase, ...(message ? { message } : {}) } }];
    this.settle();
  }
  counts(): Record<string, number> {
    return Object.fromEntries(
      this.sets.map((set) => [set.spec.template.spec["containers"][0].image, set.spec.replicas ?? 1]),
    );
  }
  get status() {
    return this.rollout.status ?? {};
  }
  condition(type: string) {
    return this.status.conditions?.find((known) => known.type === type);
  }
}

const steps = [{ setWeight: 20 }, { pause: { duration: "1h" } }, { setWeight: 60 }, { pause: {} }];
const analysis = [
  { setWeight: 20 },
  { analysis: { templates: [{ templateName: "errors" }] } },
  { setWeight: 60 },
  { pause: { duration: 10 } },
];
const errorTemplate: AnalysisTemplate = {
  apiVersion: "argoproj.io/v1alpha1",
  kind: "AnalysisTemplate",
  metadata: { name: "errors", namespace: "shop" },
  spec: {
    metrics: [{ name: "errors", successCondition: "result < 0.05", provider: { web: { url: "http://web/errors" } } }],
  },
};

function deployed(canary: CanaryStrategy, spec: object = {}): World {
  const world = new World(canary, spec);
  world.templates["errors"] = errorTemplate;
  world.settle();
  world.lowest = Number.POSITIVE_INFINITY;
  world.highest = 0;
  return world;
}

describe("the first deployment", () => {
  it("skips all steps and becomes stable", () => {
    const world = deployed({ steps });
    expect(world.counts()).toEqual({ "web:1": 5 });
    expect(world.status).toMatchObject({
      phase: "Healthy",
      stableRS: hashOf(world.sets[0] as ReplicaSet),
      currentStepIndex: 4,
      observedGeneration: "1",
      replicas: 5,
      updatedReplicas: 5,
      availableReplicas: 5,
      HPAReplicas: 5,
      selector: "app=web",
    });
    expect(world.condition("Progressing")).toMatchObject({ status: "True", reason: "NewReplicaSetAvailable" });
    expect(world.rollout.metadata.annotations?.["rollout.argoproj.io/revision"]).toBe("1");
    expect(world.sets[0]?.metadata.annotations).toMatchObject({
      "rollout.argoproj.io/revision": "1",
      "tiphys.dev/change": CHANGE,
    });
    expect(world.sets[0]?.spec.template.metadata?.annotations).toEqual({ "tiphys.dev/change": CHANGE });
  });
});

describe("a canary", () => {
  it("walks its steps, waits for time and for people, and is promoted", () => {
    const world = deployed({ steps });
    world.image("web:2");
    world.settle();
    expect(world.counts()).toEqual({ "web:1": 4, "web:2": 1 });
    expect(world.status).toMatchObject({
      phase: "Paused",
      message: "CanaryPauseStep",
      currentStepIndex: 1,
      controllerPause: true,
    });
    expect(world.last?.lookAgainAt).toEqual(new Date(START + 3600_000));
    world.pass(3599);
    expect(world.status.currentStepIndex).toBe(1);
    world.pass(1);
    expect(world.counts()).toEqual({ "web:1": 2, "web:2": 3 });
    expect(world.status).toMatchObject({ phase: "Paused", currentStepIndex: 3 });
    world.pass(1e6);
    expect(world.status.currentStepIndex).toBe(3);
    world.patch(promotePatch(world.rollout));
    world.settle();
    expect(world.counts()).toEqual({ "web:1": 0, "web:2": 5 });
    expect(world.status).toMatchObject({
      phase: "Healthy",
      currentStepIndex: 4,
      stableRS: world.status.currentPodHash,
    });
    expect(world.lowest).toBeGreaterThanOrEqual(4);
    expect(world.highest).toBeLessThanOrEqual(7);
    expect(world.events.filter((text) => text.startsWith("RolloutStepCompleted"))).toHaveLength(4);
    expect(world.events).toContainEqual(
      expect.stringMatching(/^RolloutCompleted: Rollout completed update to revision 2/),
    );
  });

  it("gives its ReplicaSet the next revision and the change that made it", () => {
    const world = deployed({ steps });
    world.image("web:2");
    const change = "01JGFJJZ00TESTTESTTEST0002";
    world.rollout.metadata.annotations = { ...world.rollout.metadata.annotations, "tiphys.dev/change": change };
    world.settle();
    expect(world.sets.map(revisionOf)).toEqual([1, 2]);
    expect(world.sets.map((set) => set.metadata.annotations?.["tiphys.dev/change"])).toEqual([CHANGE, change]);
  });

  it("without steps is a rolling update", () => {
    const world = deployed({});
    world.image("web:2");
    world.settle();
    expect(world.counts()).toEqual({ "web:1": 0, "web:2": 5 });
    expect(world.status.phase).toBe("Healthy");
    expect(world.lowest).toBeGreaterThanOrEqual(4);
    expect(world.highest).toBeLessThanOrEqual(7);
  });

  it("aborts to stable when a person says so, keeps all stable pods, and can be retried", () => {
    const world = deployed({ steps });
    world.image("web:2");
    world.settle();
    world.patch(abortPatch());
    world.settle();
    expect(world.counts()).toEqual({ "web:1": 5, "web:2": 0 });
    expect(world.status).toMatchObject({
      phase: "Degraded",
      message: "RolloutAborted: Rollout aborted update to revision 2",
      abort: true,
      currentStepIndex: 0,
    });
    world.patch(retryPatch());
    world.settle();
    expect(world.counts()).toEqual({ "web:1": 4, "web:2": 1 });
    expect(world.status).toMatchObject({ phase: "Paused", currentStepIndex: 1 });
    expect(world.status.abortedAt).toBeUndefined();
  });

  it("is promoted in full past its pauses", () => {
    const world = deployed({ steps });
    world.image("web:2");
    world.settle();
    world.patch(promotePatch(world.rollout, { full: true }));
    world.settle();
    expect(world.counts()).toEqual({ "web:1": 0, "web:2": 5 });
    expect(world.status.phase).toBe("Healthy");
    expect(world.status.promoteFull).toBeUndefined();
  });

  it("goes back to stable without steps", () => {
    const world = deployed({ steps });
    world.image("web:2");
    world.settle();
    world.image("web:1");
    world.settle();
    expect(world.counts()).toEqual({ "web:1": 5, "web:2": 0 });
    expect(world.status).toMatchObject({ phase: "Healthy", currentStepIndex: 4 });
    expect(world.events).toContainEqual(expect.stringMatching(/^SkipSteps/));
    expect(world.sets.map(revisionOf)).toEqual([3, 2]);
    expect(world.sets[0]?.metadata.annotations?.["rollout.argoproj.io/revision-history"]).toBe("1");
  });

  it("starts over with a third template, and drains the second first", () => {
    const world = deployed({ steps });
    world.image("web:2");
    world.settle();
    world.image("web:3");
    world.settle();
    expect(world.counts()).toEqual({ "web:1": 4, "web:2": 0, "web:3": 1 });
    expect(world.status.currentStepIndex).toBe(1);
    expect(world.lowest).toBeGreaterThanOrEqual(4);
  });

  it("undo puts the earlier template back and plays the steps", () => {
    const world = deployed({ steps: [{ setWeight: 20 }, { pause: {} }] });
    world.image("web:2");
    world.settle();
    world.patch(promotePatch(world.rollout));
    world.settle();
    expect(world.status.phase).toBe("Healthy");
    world.patch(undoPatch(world.rollout, world.sets));
    world.settle();
    expect(world.rollout.spec.template?.spec["containers"][0].image).toBe("web:1");
    expect(world.rollout.spec.template?.metadata).toEqual({ labels: { app: "web" } });
    expect(world.counts()).toEqual({ "web:1": 1, "web:2": 4 });
    expect(() => undoPatch(world.rollout, world.sets, 9)).toThrow(
      'revision 9 of Rollout "web" is not kept; kept revisions: 3, 2',
    );
  });

  it("comes back without steps inside the rollback window", () => {
    const world = deployed({ steps: [{ setWeight: 20 }, { pause: {} }] }, { rollbackWindow: { revisions: 1 } });
    world.image("web:2");
    world.settle();
    world.patch(promotePatch(world.rollout));
    world.settle();
    world.image("web:1");
    world.settle();
    expect(world.counts()).toEqual({ "web:1": 5, "web:2": 0 });
  });

  it("follows spec.replicas in the middle of an update", () => {
    const world = deployed({ steps });
    world.image("web:2");
    world.settle();
    world.edit((spec) => {
      spec.replicas = 10;
    });
    world.settle();
    expect(world.counts()).toEqual({ "web:1": 8, "web:2": 2 });
  });

  it("does not start a new template while a person has paused it", () => {
    const world = deployed({ steps });
    world.patch([{ type: "merge", body: { spec: { paused: true } } }]);
    world.image("web:2");
    world.settle();
    expect(world.counts()).toEqual({ "web:1": 5 });
    expect(world.status).toMatchObject({ phase: "Paused", message: "manually paused" });
    world.patch(promotePatch(world.rollout));
    world.settle();
    expect(world.counts()).toEqual({ "web:1": 4, "web:2": 1 });
  });

  it("says that it has timed out when its pods never come, and aborts when told to", () => {
    const world = deployed({ steps }, { progressDeadlineAbort: true, progressDeadlineSeconds: 60 });
    world.brokenImages.add("web:2");
    world.image("web:2");
    world.settle();
    expect(world.status.phase).toBe("Progressing");
    world.pass(61);
    expect(world.counts()).toEqual({ "web:1": 5, "web:2": 0 });
    expect(world.status.message).toMatch(
      /^RolloutAborted: Rollout aborted update to revision 2: ReplicaSet "web-.*" has timed out progressing\.$/,
    );
  });

  it("keeps its revisionHistoryLimit", () => {
    const world = deployed({}, { revisionHistoryLimit: 1 });
    for (const image of ["web:2", "web:3", "web:4"]) {
      world.image(image);
      world.settle();
    }
    expect(world.counts()).toEqual({ "web:3": 0, "web:4": 5 });
  });

  it("adopts a ReplicaSet of another hash algorithm by its template", () => {
    const world = deployed({ steps });
    const [set] = world.sets as [ReplicaSet];
    set.metadata = {
      ...set.metadata,
      name: "web-5cd66ff7ff",
      labels: { app: "web", "rollouts-pod-template-hash": "5cd66ff7ff" },
    };
    world.rollout = {
      ...world.rollout,
      status: { ...world.status, currentPodHash: "5cd66ff7ff", stableRS: "5cd66ff7ff" },
    };
    world.settle();
    expect(world.sets).toHaveLength(1);
    expect(world.status).toMatchObject({ phase: "Healthy", currentPodHash: "5cd66ff7ff" });
  });
});

describe("a canary with analysis", () => {
  const start = () => {
    const world = deployed({ steps: analysis });
    world.image("web:2");
    world.settle();
    return world;
  };

  it("starts one run at its step and goes on when it succeeds", () => {
    const world = start();
    expect(world.runs).toHaveLength(1);
    const [run] = world.runs as [AnalysisRun];
    expect(run.metadata).toMatchObject({
      name: `web-${world.status.currentPodHash}-2-1`,
      labels: { "rollout-type": "Step", "step-index": "1", "rollouts-pod-template-hash": world.status.currentPodHash },
      annotations: { "tiphys.dev/change": CHANGE },
    });
    expect(world.status.canary?.currentStepAnalysisRunStatus).toEqual({ name: run.metadata.name, status: "Running" });
    world.verdict("Successful");
    expect(world.status).toMatchObject({ currentStepIndex: 3, phase: "Paused" });
    expect(world.counts()).toEqual({ "web:1": 2, "web:2": 3 });
    world.pass(10);
    expect(world.status.phase).toBe("Healthy");
  });

  it("aborts back to stable when it fails, while the stable pods stay", () => {
    const world = start();
    world.verdict("Failed", 'Metric "errors" assessed Failed due to failed (1) > failureLimit (0)');
    expect(world.counts()).toEqual({ "web:1": 5, "web:2": 0 });
    expect(world.status).toMatchObject({
      phase: "Degraded",
      message:
        'RolloutAborted: Rollout aborted update to revision 2: Step-based analysis phase error/failed: Metric "errors" assessed Failed due to failed (1) > failureLimit (0)',
    });
    expect(world.lowest).toBeGreaterThanOrEqual(4);
    world.patch(retryPatch());
    world.settle();
    expect(world.runs.map((run) => run.metadata.name)).toEqual([
      expect.stringMatching(/-2-1$/),
      expect.stringMatching(/-2-1\.1$/),
    ]);
  });

  it("pauses when it is inconclusive; promoting skips the step, resuming measures again", () => {
    const promoted = start();
    promoted.verdict("Inconclusive");
    expect(promoted.status).toMatchObject({ phase: "Paused", message: "InconclusiveAnalysisRun", currentStepIndex: 1 });
    promoted.patch(promotePatch(promoted.rollout));
    promoted.settle();
    expect(promoted.status.currentStepIndex).toBe(3);
    const resumed = start();
    resumed.verdict("Inconclusive");
    resumed.patch([{ subresource: "status", type: "merge", body: { status: { pauseConditions: null } } }]);
    resumed.settle();
    expect(resumed.runs).toHaveLength(2);
    expect(resumed.status).toMatchObject({ currentStepIndex: 1, phase: "Progressing" });
  });

  it("ends its runs when the template changes or a person aborts", () => {
    for (const end of [(world: World) => world.image("web:3"), (world: World) => world.patch(abortPatch())]) {
      const world = start();
      end(world);
      world.settle();
      expect(world.runs[0]?.spec.terminate).toBe(true);
    }
  });

  it("runs a background analysis from its starting step to the promotion", () => {
    const canary = { steps, analysis: { startingStep: 2, templates: [{ templateName: "errors" }] } };
    const world = deployed(canary);
    world.image("web:2");
    world.settle();
    expect(world.runs).toHaveLength(0);
    world.pass(3600);
    expect(world.runs).toHaveLength(1);
    expect(world.runs[0]?.metadata.name).toBe(`web-${world.status.currentPodHash}-2`);
    world.patch(promotePatch(world.rollout));
    world.settle();
    expect(world.runs[0]?.spec.terminate).toBe(true);
    expect(world.status.phase).toBe("Healthy");
  });

  it("is refused by name when the template does not exist", () => {
    const world = new World({ steps: analysis });
    world.settle();
    expect(world.status).toMatchObject({
      phase: "Degraded",
      message:
        'InvalidSpec: The Rollout "web" is invalid: spec.strategy.canary.steps[1].analysis.templates[0].templateName: AnalysisTemplate "errors" not found',
    });
    world.templates["errors"] = errorTemplate;
    world.settle();
    expect(world.status.phase).toBe("Healthy");
    expect(world.condition("InvalidSpec")).toBeUndefined();
  });
});

describe("a traffic-routed canary", () => {
  const routed = (over: object = {}) => {
    const canary = {
      stableService: "web",
      canaryService: "web-canary",
      trafficRouting: { nginx: { stableIngress: "site" } },
      steps: [{ setWeight: 20 }, { pause: {} }, { setWeight: 60 }, { pause: {} }],
      ...over,
    };
    const world = new World(canary);
    for (const name of ["web", "web-canary"]) {
      world.services[name] = { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { selector: {} } };
    }
    world.templates["errors"] = errorTemplate;
    world.settle();
    world.weights = [0];
    return world;
  };
  const promote = (world: World) => {
    world.patch(promotePatch(world.rollout));
    world.settle();
  };

  it("keeps stable whole, raises the weight step by step, and retires the old set after its delay", () => {
    const world = routed();
    world.image("web:2");
    world.settle();
    expect(world.counts()).toEqual({ "web:1": 5, "web:2": 1 });
    expect(world.weights).toEqual([0, 20]);
    expect(world.status.canary?.weights).toMatchObject({ canary: { weight: 20 }, stable: { weight: 80 } });
    promote(world);
    expect(world.counts()).toEqual({ "web:1": 5, "web:2": 3 });
    promote(world);
    expect(world.weights).toEqual([0, 20, 60, 100, 0]);
    expect(world.status).toMatchObject({ phase: "Healthy", stableRS: world.status.currentPodHash });
    expect(world.services["web"]?.["spec"].selector).toEqual({
      "rollouts-pod-template-hash": world.status.currentPodHash,
    });
    expect(world.counts()).toEqual({ "web:1": 5, "web:2": 5 });
    expect(world.sets[0]?.metadata.annotations?.["scale-down-deadline"]).toBe("2026-01-01T00:00:30Z");
    world.pass(29);
    expect(world.counts()["web:1"]).toBe(5);
    world.pass(1);
    expect(world.counts()).toEqual({ "web:1": 0, "web:2": 5 });
  });

  it("does not send requests to pods that are not there", () => {
    const world = routed();
    world.brokenImages.add("web:2");
    world.image("web:2");
    world.settle();
    expect(world.weights).toEqual([0]);
    expect(world.status.currentStepIndex).toBe(0);
  });

  it("takes the weight back at once on abort and the pods after the abort delay", () => {
    const world = routed();
    world.image("web:2");
    world.settle();
    world.patch(abortPatch());
    world.settle();
    expect(world.weights.at(-1)).toBe(0);
    expect(world.counts()).toEqual({ "web:1": 5, "web:2": 1 });
    world.pass(30);
    expect(world.counts()).toEqual({ "web:1": 5, "web:2": 0 });
    expect(world.services["web-canary"]?.["spec"].selector).toEqual({
      "rollouts-pod-template-hash": world.status.stableRS,
    });
  });

  it("keeps an aborted canary when abortScaleDownDelaySeconds is 0", () => {
    const world = routed({ abortScaleDownDelaySeconds: 0 });
    world.image("web:2");
    world.settle();
    world.patch(abortPatch());
    world.settle();
    world.pass(1e6);
    expect(world.counts()).toEqual({ "web:1": 5, "web:2": 1 });
  });

  it("scales its canary apart from the weight until matchTrafficWeight", () => {
    const steps = [
      { setCanaryScale: { replicas: 3 } },
      { setWeight: 20 },
      { pause: {} },
      { setCanaryScale: { matchTrafficWeight: true } },
      { pause: {} },
    ];
    const world = routed({ steps });
    world.image("web:2");
    world.settle();
    expect(world.counts()["web:2"]).toBe(3);
    expect(world.weights.at(-1)).toBe(20);
    promote(world);
    expect(world.counts()["web:2"]).toBe(1);
  });

  it("is refused while another Rollout has its Service", () => {
    const world = routed();
    (world.services["web"] as KubeObject).metadata.annotations = {
      "argo-rollouts.argoproj.io/managed-by-rollouts": "other",
    };
    world.settle();
    expect(world.status.message).toBe(
      'InvalidSpec: The Rollout "web" is invalid: spec.strategy.canary.stableService: service "web" is already managed by the Rollout "other"',
    );
  });
});

describe("a restart", () => {
  it("evicts old pods a few at a time and is recorded", () => {
    const world = deployed({ steps });
    const [set] = world.sets as [ReplicaSet];
    world.podList = [0, 1, 2].map((index) => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: `p${index}`,
        creationTimestamp: "2025-12-31T00:00:00Z",
        ownerReferences: [
          {
            apiVersion: "apps/v1",
            kind: "ReplicaSet",
            name: set.metadata.name,
            uid: set.metadata.uid as string,
            controller: true,
          },
        ],
      },
      status: { conditions: [{ type: "Ready", status: "True" }] },
    }));
    set.spec.replicas = 3;
    world.edit((spec) => {
      spec.replicas = 3;
      spec.restartAt = "2026-01-01T01:00:00Z";
    });
    world.settle();
    expect(world.evicted).toEqual([]);
    expect(world.last?.lookAgainAt).toEqual(new Date(START + 3600_000));
    expect(world.status).toMatchObject({ phase: "Progressing", message: "rollout is restarting" });
    world.now = new Date(START + 3600_000);
    expect(planRollout(world.state(), world.now).actions.filter(({ kind }) => kind === "evictPod")).toHaveLength(1);
    world.settle();
    expect(world.evicted).toEqual(["p0", "p1", "p2"]);
    expect(world.status).toMatchObject({ restartedAt: "2026-01-01T01:00:00Z", phase: "Healthy" });
  });
});

describe("a crash after any write", () => {
  it("leads to the same end as no crash", () => {
    const scenario = (crashAt: number) => {
      const world = deployed({ steps: analysis });
      world.image("web:2");
      world.settle(crashAt);
      world.pods();
      world.settle();
      world.verdict("Successful");
      world.pass(10);
      return world;
    };
    const whole = scenario(Number.POSITIVE_INFINITY);
    for (let crashAt = 0; crashAt < 40; crashAt++) {
      const world = scenario(crashAt);
      expect(world.counts()).toEqual(whole.counts());
      expect(world.runs.map((run) => run.metadata.name)).toEqual(whole.runs.map((run) => run.metadata.name));
      expect(world.status.phase).toBe("Healthy");
      expect(world.lowest).toBeGreaterThanOrEqual(4);
    }
  });
});

describe("what lists show", () => {
  it("has step, weights and counts", () => {
    const world = deployed({ steps });
    world.image("web:2");
    world.settle();
    expect(rolloutInfo(world.rollout, world.sets)).toMatchObject({
      status: "Paused",
      message: "CanaryPauseStep",
      strategy: "Canary",
      step: "1/4",
      setWeight: "20",
      actualWeight: "20",
      desired: 5,
      updated: 1,
      available: 5,
    });
  });
});

describe("the course of an update in time", () => {
  const at = (seconds: number) => new Date(START + seconds * 1000).toISOString().replace(".000Z", "Z");

  it("begins with the new template, counts what waits for a person, and ends with the promotion", () => {
    const world = deployed({ steps });
    expect(world.status.duration).toBeUndefined();
    world.image("web:2");
    world.settle();
    expect(world.status.duration).toEqual({ rolloutStartedAt: at(0) });
    world.pass(3600);
    expect(world.status.duration).toEqual({ rolloutStartedAt: at(0), manualPauseStartedAt: at(3600) });
    world.pass(600);
    world.patch(promotePatch(world.rollout));
    world.settle();
    expect(world.status.duration).toEqual({
      rolloutStartedAt: at(0),
      totalManualPauseDurationSeconds: 600,
      finishedAt: at(4200),
      completionStatus: "Promoted",
    });
    const { duration } = world.status;
    world.pass(60);
    expect(world.status.duration).toEqual(duration);
  });

  it.each<{ end: string; how: (world: World) => void }>([
    { end: "Aborted", how: (world) => world.patch(abortPatch()) },
    { end: "FastPromoted", how: (world) => world.patch(promotePatch(world.rollout, { full: true })) },
    { end: "RolledBack", how: (world) => world.image("web:1") },
  ])("ends $end", ({ end, how }) => {
    const world = deployed({ steps });
    world.image("web:2");
    world.settle();
    world.now = new Date(START + 60_000);
    how(world);
    world.settle();
    expect(world.status.duration).toEqual({
      rolloutStartedAt: at(0),
      finishedAt: at(60),
      completionStatus: end,
    });
  });

  it("begins anew when another template takes the place, and when an aborted update is tried again", () => {
    const world = deployed({ steps });
    world.image("web:2");
    world.settle();
    world.now = new Date(START + 60_000);
    world.image("web:3");
    world.settle();
    expect(world.status.duration).toEqual({ rolloutStartedAt: at(60) });
    world.patch(abortPatch());
    world.settle();
    world.now = new Date(START + 120_000);
    world.patch(retryPatch());
    world.settle();
    expect(world.status.duration).toEqual({ rolloutStartedAt: at(120) });
  });
});

it("adopts the ReplicaSets that it finds, before it makes any", () => {
  const before = deployed({ steps });
  before.image("web:2");
  before.pass(3600);
  before.patch(promotePatch(before.rollout, { full: true }));
  before.settle();
  const world = new World({ steps });
  world.orphans = before.sets.map((set) => ({ ...set, metadata: { ...set.metadata, ownerReferences: [] } }));
  world.image("web:2");
  world.settle();
  expect(world.sets).toHaveLength(2);
  expect(world.counts()).toEqual({ "web:1": 0, "web:2": 5 });
  expect(world.status).toMatchObject({ phase: "Healthy", stableRS: before.status.stableRS });
});
