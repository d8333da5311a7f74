import type { KubeObject } from "@tiphys/resources";
import { nextBackOff, planPod } from "./plan.js";
import { type ContainerRecord, type ContainerState, newContainer, type PodRecord } from "./record.js";

const NOW = 1_000_000;
const running: ContainerState = { phase: "running", startedAt: NOW - 5000 };
const ended = (exitCode: number): ContainerState => ({
  phase: "terminated",
  exitCode,
  reason: "x",
  finishedAt: NOW,
  attempt: 1,
});

const pod = (spec: object, metadata: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "n", uid: "u", ...metadata },
  spec: { containers: [{ name: "a" }], ...spec },
});
const container = (state: ContainerState, more: Partial<ContainerRecord> = {}): ContainerRecord => ({
  ...newContainer(),
  state,
  ...more,
});
const record = (containers: Record<string, ContainerRecord>): PodRecord => ({
  uid: "u",
  namespace: "n",
  name: "p",
  ip: "10.244.0.2",
  ports: {},
  startTime: NOW - 60_000,
  containers,
});
const initial = { initContainers: [{ name: "i" }, { name: "j" }] };
const sidecar = { initContainers: [{ name: "s", restartPolicy: "Always" }] };
const never = { restartPolicy: "Never" };
const deleting = { deletionTimestamp: "2026-01-01T00:00:00Z" };

describe("pod plan", () => {
  it.each([
    {
      name: "a new pod",
      why: "containers start together",
      given: [pod({ containers: [{ name: "a" }, { name: "b" }] }), {}],
      want: { start: ["a", "b"], stop: [] },
    },
    { name: "init first", why: "init containers go one by one", given: [pod(initial), {}], want: { start: ["i"] } },
    {
      name: "init next",
      why: "the second follows the first's success",
      given: [pod(initial), { i: container(ended(0)) }],
      want: { start: ["j"] },
    },
    {
      name: "init failed",
      why: "Never means the pod has failed",
      given: [pod({ ...initial, ...never }), { i: container(ended(2)) }],
      want: { start: [], outcome: { phase: "Failed" } },
    },
    {
      name: "init retried",
      why: "otherwise it is tried again",
      given: [pod(initial), { i: container(ended(2)) }],
      want: { start: ["i"] },
    },
    {
      name: "sidecar first",
      why: "the others wait until it has started",
      given: [pod(sidecar), { s: container(running) }],
      want: { start: [] },
    },
    {
      name: "sidecar started",
      why: "it stays while the others run",
      given: [pod(sidecar), { s: container(running, { started: true }) }],
      want: { start: ["a"] },
    },
    {
      name: "sidecar last",
      why: "it ends after the containers it serves",
      given: [pod({ ...sidecar, ...never }), { s: container(running, { started: true }), a: container(ended(0)) }],
      want: { stop: [{ container: "s" }] },
    },
    {
      name: "sidecar away",
      why: "once the others have begun, a sidecar that waits holds nothing up",
      given: [
        pod(sidecar),
        { s: container(ended(1), { retryAt: NOW + 1000 }), a: container(ended(2), { attempt: 1 }) },
      ],
      want: { start: ["a"], lookAgainAt: NOW + 1000 },
    },
    {
      name: "changed image",
      why: "a running container with another image is started anew",
      given: [
        pod({ ...never, containers: [{ name: "a", image: "new" }] }),
        { a: container(running, { attempt: 1, specImage: "old" }) },
      ],
      want: { stop: [{ container: "a", changed: true }] },
    },
    {
      name: "changed image, ended",
      why: "and that whatever the restart policy says",
      given: [pod(never), { a: container(ended(137), { attempt: 1, restart: true }) }],
      want: { start: ["a"] },
    },
    {
      name: "restart rule",
      why: "a container's rule for its exit code outweighs the pod's policy",
      given: [
        pod({
          ...never,
          containers: [
            {
              name: "a",
              restartPolicy: "Never",
              restartPolicyRules: [{ action: "Restart", exitCodes: { operator: "In", values: [42] } }],
            },
          ],
        }),
        { a: container(ended(42), { attempt: 1 }) },
      ],
      want: { start: ["a"] },
    },
    {
      name: "own policy",
      why: "a container's policy outweighs the pod's",
      given: [pod({ containers: [{ name: "a", restartPolicy: "Never" }] }), { a: container(ended(1), { attempt: 1 }) }],
      want: { start: [], outcome: { phase: "Failed" } },
    },
    {
      name: "eviction",
      why: "a pod that used too much ends, and says so",
      given: [pod({}), { a: container(running, { attempt: 1 }) }, "too much"],
      want: { start: [], stop: [{ container: "a", reason: "too much" }] },
    },
    {
      name: "success",
      why: "all ended well",
      given: [pod(never), { a: container(ended(0)) }],
      want: { outcome: { phase: "Succeeded" } },
    },
    {
      name: "failure",
      why: "one did not",
      given: [
        pod({ restartPolicy: "Never", containers: [{ name: "a" }, { name: "b" }] }),
        { a: container(ended(0)), b: container(ended(1)) },
      ],
      want: { outcome: { phase: "Failed" } },
    },
    {
      name: "OnFailure",
      why: "success is not restarted",
      given: [pod({ restartPolicy: "OnFailure" }), { a: container(ended(0)) }],
      want: { outcome: { phase: "Succeeded" } },
    },
    {
      name: "back-off",
      why: "the restart waits for its time",
      given: [pod({}), { a: container(ended(1), { retryAt: NOW + 500 }) }],
      want: { start: [], lookAgainAt: NOW + 500 },
    },
    {
      name: "unhealthy",
      why: "a probe's verdict ends the container",
      given: [pod({}), { a: container(running, { unhealthy: "sick" }) }],
      want: { stop: [{ container: "a", reason: "sick" }] },
    },
    {
      name: "deadline",
      why: "the pod is over its time",
      given: [pod({ activeDeadlineSeconds: 60 }), { a: container(running) }],
      want: { stop: [{ container: "a" }] },
    },
    {
      name: "deadline done",
      why: "and fails once nothing runs",
      given: [pod({ activeDeadlineSeconds: 60 }), { a: container(ended(137)) }],
      want: { outcome: { phase: "Failed", reason: "DeadlineExceeded" } },
    },
    {
      name: "deleted",
      why: "containers end before the object goes",
      given: [pod({}, deleting), { a: container(running) }],
      want: { stop: [{ container: "a" }] },
    },
    {
      name: "deleted and ended",
      why: "now the object goes",
      given: [pod({}, deleting), { a: container(ended(0)) }],
      want: { remove: true, outcome: { phase: "Succeeded" } },
    },
  ] as { name: string; why: string; given: [KubeObject, Record<string, ContainerRecord>, string?]; want: object }[])(
    "$name: $why",
    ({ given: [object, containers, evicted], want }) => {
      expect(planPod(object, { ...record(containers), ...(evicted ? { evicted } : {}) }, NOW)).toMatchObject(want);
    },
  );

  it("backs off from none over ten seconds to five minutes, and forgets after a long run", () => {
    const waits: number[] = [];
    let backOff: number | undefined;
    for (let i = 0; i < 8; i++) {
      backOff = nextBackOff({ state: ended(1), ...(backOff === undefined ? {} : { backOff }) });
      waits.push(backOff / 1000);
    }
    expect(waits).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
    const long: ContainerState = {
      phase: "terminated",
      exitCode: 1,
      reason: "x",
      startedAt: 0,
      finishedAt: 700_000,
      attempt: 1,
    };
    expect(nextBackOff({ state: long, backOff: 300_000 })).toBe(0);
  });
});
