import { tiphysApiV1Api as api } from "@tiphys/proto";
import type { Client } from "@tiphys/rpc";
import { application, startTestServer, type TestServer } from "./testing.js";

let server: TestServer;
let client: Client<typeof api.TiphysServiceDefinition>;
beforeAll(async () => {
  server = await startTestServer();
  client = server.channel().client(api.TiphysServiceDefinition);
});
afterAll(() => server.stop());

const bytes = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
const web = { resource: "applications", namespace: "argocd", name: "web" };

it("applies, tries, updates and deletes objects", async () => {
  await client.apply({ json: bytes(application("web")), dryRun: true });
  await expect(client.get(web)).rejects.toMatchObject({ code: "NotFound" });
  await client.apply({ json: bytes(application("web")) });
  const { json } = await client.apply({ json: bytes(application("web", { project: "other" })) });
  expect(JSON.parse(Buffer.from(json ?? []).toString())).toMatchObject({ spec: { project: "other" } });
  await client.delete(web);
  await expect(client.get(web)).rejects.toMatchObject({ code: "NotFound" });
});

it.each([
  { name: "broken JSON", json: "{", says: "json: is not JSON" },
  { name: "no object", json: "null", says: "kind" },
  {
    name: "a kind that is not ours",
    json: { apiVersion: "v1", kind: "Secret", metadata: { name: "x" } },
    says: "v1 Secret is not served here",
  },
  { name: "no name", json: { ...application("x"), metadata: {} }, says: "metadata.name" },
  { name: "an unknown field", json: application("x", { projekt: 1 }), says: "projekt" },
])("refuses $name", async ({ json, says }) => {
  const refusal = await client.apply({ json: bytes(json) }).catch((error) => error);
  expect(refusal).toMatchObject({ code: "InvalidArgument", message: expect.stringContaining(says) });
});

it("names what it does not do yet, and what it does not have", async () => {
  await client.apply({ json: bytes(application("web")) });
  await expect(client.actOnWorkflow({ name: "x", action: "retry" })).rejects.toMatchObject({
    code: "Unimplemented",
    message: expect.stringContaining('workflow action "retry"'),
  });
  await expect(client.list({ resource: "secrets" })).rejects.toMatchObject({ code: "InvalidArgument" });
  const watching = client.watch({ resource: "secrets" })[Symbol.asyncIterator]();
  await expect(watching.next()).rejects.toMatchObject({ code: "InvalidArgument" });
});
