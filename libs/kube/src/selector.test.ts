import { matchesSelector, parseLabelSelector, selectorText } from "./index.js";

it.each([
  { selector: "app=web", labels: { app: "web" }, want: true },
  { selector: "app==web,tier!=db", labels: { app: "web" }, want: true },
  { selector: "tier!=db", labels: { tier: "db" }, want: false },
  { selector: "tier in (db, cache), app", labels: { tier: "cache", app: "x" }, want: true },
  { selector: "tier notin (db)", labels: {}, want: true },
  { selector: "!old", labels: { old: "" }, want: false },
  { selector: "old", labels: { old: "" }, want: true },
  { selector: "a.example.com/b=", labels: { "a.example.com/b": "" }, want: true },
  { selector: "constructor", labels: {}, want: false },
  { selector: "", labels: {}, want: true },
])('"$selector" on $labels is $want', ({ selector, labels, want }) => {
  expect(parseLabelSelector(selector)(labels as Record<string, string>)).toBe(want);
});

it("refuses what it cannot read", () => {
  expect(() => parseLabelSelector("app in web")).toThrow("cannot read");
  expect(() => parseLabelSelector("a=b=c")).toThrow("cannot read");
});

it("treats selector objects as Kubernetes does, and writes them as text", () => {
  const selector = {
    matchLabels: { app: "web" },
    matchExpressions: [
      { key: "tier", operator: "In", values: ["a", "b"] },
      { key: "old", operator: "DoesNotExist" },
    ],
  };
  expect(selectorText(selector)).toBe("app=web,tier in (a,b),!old");
  expect(matchesSelector(selector, { app: "web", tier: "a" })).toBe(true);
  expect(matchesSelector(selector, { app: "web", tier: "c" })).toBe(false);
  expect(matchesSelector({}, {})).toBe(true);
  expect(matchesSelector(undefined, {})).toBe(false);
});
