import { NotFoundError, UnauthenticatedError, UnavailableError } from "@tiphys/errors";
import { silentLogger } from "@tiphys/telemetry";
import { tellingOfCredentials } from "./carried-credentials.js";

const said: string[] = [];
const log = { ...silentLogger, warn: (_: string, fields?: object) => void said.push(JSON.stringify(fields)) };
const url = "https://bot:hunter2@git.example/shop";
const carrying = { repo: { repo: url, password: "hunter2" } };

it("names each address once whose credentials are not used, and none of them", async () => {
  const method = tellingOfCredentials(log)(async () => 1);
  await method(carrying, {});
  await method(carrying, {});
  await method({ repo: { repo: "https://git.example/open" } }, {});
  await method({ helmRepoCreds: [{ url: "https://charts.example", password: "hunter2" }] }, {});
  expect(said).toEqual(['{"repository":"https://git.example/shop"}', '{"repository":"https://charts.example"}']);
});

it.each([
  [carrying, new UnauthenticatedError("no"), /^no \(credentials in the request are not used/],
  [carrying, new NotFoundError("gone"), /^gone \(credentials in the request are not used/],
  [carrying, new UnavailableError("away"), /^away$/],
  [{ repo: { repo: url } }, new UnauthenticatedError("no"), /^no$/],
])("says so in an error that may come from it: %#", async (request, error, want) => {
  const method = tellingOfCredentials(silentLogger)(() => Promise.reject<number>(error));
  const thrown = await method(request, {}).then(
    () => undefined,
    (each: Error & { code?: string }) => each,
  );
  expect(thrown?.message).toMatch(want);
  expect(thrown?.code).toBe(error.code);
});
