import type { KubeObject } from "@tiphys/resources";
import { clusterOf } from "./cluster-secret.js";

const pem = (what: string) => Buffer.from(`-----BEGIN ${what}-----\nAAAA\n-----END ${what}-----\n`).toString("base64");
const secret = (data: Record<string, string>, config: unknown = {}, type = "cluster"): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "prod", namespace: "argocd", labels: { "argocd.argoproj.io/secret-type": type } },
  data: Object.fromEntries(
    Object.entries({ ...data, config: typeof config === "string" ? config : JSON.stringify(config) }).map(
      ([key, value]) => [key, Buffer.from(value).toString("base64")],
    ),
  ),
});
const server = "https://prod.example:6443";

it("reads where a cluster is and how to be let in", () => {
  const cluster = clusterOf(
    secret(
      { name: "prod", server: `${server}/` },
      {
        bearerToken: "hunter2",
        tlsClientConfig: {
          caData: pem("CERTIFICATE"),
          certData: pem("CERTIFICATE"),
          keyData: pem("KEY"),
          serverName: "x",
        },
      },
    ),
  );
  expect(cluster).toMatchObject({ name: "prod", server });
  const connection = cluster?.connection();
  expect(connection).toMatchObject({ server, serverName: "x", ca: expect.stringContaining("BEGIN CERTIFICATE") });
  expect(JSON.stringify(connection)).not.toMatch(/hunter2|BEGIN KEY/);
});

it("is called by its address where it has no name, and is none without an address or of another type", () => {
  expect(clusterOf(secret({ server }))?.name).toBe(server);
  expect(clusterOf(secret({ name: "prod" }))).toBeUndefined();
  expect(clusterOf(secret({ server }, {}, "repository"))).toBeUndefined();
});

it.each<{ data: Record<string, string>; config: unknown; want: RegExp }>([
  { data: { server, project: "team" }, config: {}, want: /project in cluster Secret prod is not implemented yet/ },
  { data: { server, namespaces: "a,b" }, config: {}, want: /namespaces in cluster Secret prod is not implemented yet/ },
  { data: { server }, config: { awsAuthConfig: { clusterName: "x" } }, want: /awsAuthConfig in cluster Secret prod/ },
  { data: { server }, config: { execProviderConfig: { command: "x" } }, want: /execProviderConfig in cluster Secret/ },
  { data: { server }, config: { proxyUrl: "http://p" }, want: /proxyUrl in cluster Secret prod/ },
  { data: { server: "ftp://x" }, config: {}, want: /server.*must begin with https/ },
  { data: { server: "prod" }, config: {}, want: /"prod" is no URL/ },
  { data: { server }, config: '{"bearerToken": "hunter2', want: /config.*is no JSON/ },
  { data: { server }, config: '["hunter2"]', want: /config.*must be a JSON object/ },
  { data: { server }, config: { tlsClientConfig: { caData: "aHVudGVyMg==" } }, want: /caData.*is no PEM/ },
  { data: { server }, config: { tlsClientConfig: { certData: pem("C") } }, want: /certData and keyData go together/ },
  {
    data: { server },
    config: { tlsClientConfig: { insecure: true, caData: pem("C") } },
    want: /insecure and caData exclude each other/,
  },
])("refuses by name, and tells no secret: $want", ({ data, config, want }) => {
  const connect = () => clusterOf(secret(data, config))?.connection();
  expect(connect).toThrow(want);
  expect(connect).not.toThrow(/hunter2|aHVudGVyMg/);
});
