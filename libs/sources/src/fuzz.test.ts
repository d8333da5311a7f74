import { virtualClock } from "@tiphys/clock";
import { Secret } from "@tiphys/secret";
import { silentLogger } from "@tiphys/telemetry";
import { mutate, mutations, nested, oneOf, seeded } from "@tiphys/testing";
import { hmacSignature } from "./signature.js";
import type { SourceContext } from "./source.js";
import { webhookRoute } from "./webhook-source.js";

const secret = new Secret("webhook secret");
const context = (deliver: SourceContext["deliver"]): SourceContext =>
  ({
    namespace: "demo",
    eventSource: "forge",
    annotations: {},
    clock: virtualClock(new Date("2026-01-01T00:00:00Z")),
    random: (size: number) => new Uint8Array(size),
    log: silentLogger,
    secret: () => secret,
    deliver,
  }) as SourceContext;
const body = JSON.stringify({
  ref: "refs/heads/main",
  after: "abc",
  repository: { name: "app" },
  __proto__x: [1, null],
});

it.each([
  ["webhook", { endpoint: "/x", method: "POST", port: "1" }],
  ["github", { webhook: { endpoint: "/x", method: "POST", port: "1" }, webhookSecret: { name: "a", key: "b" } }],
  ["gitlab", { webhook: { endpoint: "/x", method: "POST", port: "1" }, secretToken: { name: "a", key: "b" } }],
])("answers any body that a %s sends, and stores only what it accepted", async (type, spec) => {
  const random = seeded(1);
  let stored = 0;
  const route = webhookRoute(
    { type, name: "push", spec } as never,
    context(async () => {
      stored++;
      return "stored";
    }),
  );
  const texts = [
    ...mutations([body, `payload=${encodeURIComponent(body)}`, "a=1&a=2&__proto__=3"], 500),
    nested("[", "", "]", 50_000),
    "",
  ];
  for (const text of texts) {
    const bytes = Buffer.from(text);
    const headers: Record<string, string[]> = {
      "content-type": [oneOf(random, ["application/json", "application/x-www-form-urlencoded", "text/plain", ""])],
      "x-github-event": ["push"],
      "x-github-delivery": [mutate("72d3162e-cc78-11e3-81ab-4c9367dc0958", random)],
      "x-hub-signature-256": [
        random() < 0.7 ? hmacSignature(secret, bytes) : mutate(hmacSignature(secret, bytes), random),
      ],
      "x-gitlab-token": [random() < 0.7 ? "webhook secret" : "wrong"],
      "tiphys-change": [mutate("01JGFJJZ00TESTTESTTEST0001", random)],
      traceparent: [mutate(`00-${"a".repeat(32)}-${"b".repeat(16)}-01`, random)],
    };
    const before = stored;
    const answer = await route.handle({ method: "POST", headers, query: new URLSearchParams(), body: bytes } as never);
    expect([200, 400, 401, 403, 413, 415]).toContain(answer.status);
    expect(stored - before).toBe(answer.status === 200 ? 1 : 0);
  }
  expect(stored).toBeGreaterThan(2);
});
