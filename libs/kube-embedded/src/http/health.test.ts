import { type HealthCheck, healthAnswer } from "./health.js";

const fine: HealthCheck = { name: "ping", problem: () => undefined };
const etcd = (problem?: string): HealthCheck => ({ name: "etcd", problem: () => problem });

// As Kubernetes 1.36 answers them.
it.each([
  { name: "all is well", query: "", text: "ok", code: 200 },
  { name: "line by line", query: "verbose", text: "[+]ping ok\n[+]etcd ok\nreadyz check passed\n", code: 200 },
  {
    name: "a check is left out",
    query: "verbose&exclude=etcd",
    problem: "disk full",
    text: "[+]ping ok\n[+]etcd excluded: ok\nreadyz check passed\n",
    code: 200,
  },
  {
    name: "an unknown one is left out",
    query: "verbose=true&exclude=disk",
    text: '[+]ping ok\n[+]etcd ok\nwarn: some health checks cannot be excluded: no matches for "disk"\nreadyz check passed\n',
    code: 200,
  },
  {
    name: "something is wrong, and not told to everybody",
    query: "",
    problem: "disk full",
    text: "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n",
    code: 500,
  },
  { name: "one check", query: "verbose", only: "ping", problem: "disk full", text: "ok", code: 200 },
  {
    name: "one that fails",
    query: "",
    only: "etcd",
    problem: "disk full",
    text: "internal server error: reason withheld\n",
    code: 500,
  },
])("health: $name", ({ query, text, code, problem, only }) => {
  expect(healthAnswer("readyz", only, new URLSearchParams(query), [fine, etcd(problem)])).toEqual({ code, text });
});

it("knows no other checks", () => {
  expect(healthAnswer("readyz", "disk", new URLSearchParams(), [fine])).toBeUndefined();
});
