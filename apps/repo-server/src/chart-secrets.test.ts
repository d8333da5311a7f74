import type { KubeObject } from "@tiphys/resources";
import { chartCredentialsFor } from "./chart-secrets.js";

const secret = (name: string, type: string, data: Record<string, string>): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace: "argocd", labels: { "argocd.argoproj.io/secret-type": type } },
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")])),
});
const url = "https://charts.example/stable";

it.each([
  { given: "https://charts.example/stable", asked: "https://charts.example/stable/", why: "a slash at the end" },
  {
    given: "registry.example:5000/charts",
    asked: "oci://registry.example:5000/charts",
    why: "with and without oci://",
  },
  { given: "oci://Registry.example/charts", asked: "registry.example/charts", why: "letters of the host" },
])("takes the repository's own Secret: $why", ({ given, asked }) => {
  const own = secret("own", "repository", {
    url: given,
    type: "helm",
    username: "bot",
    password: "pw",
    enableOCI: "true",
  });
  const { credentials, listed } = chartCredentialsFor(asked, {}, { secrets: [own] });
  expect(credentials).toMatchObject({ owner: "own", username: "bot", enableOci: true });
  expect(credentials.password?.reveal()).toBe("pw");
  expect(JSON.stringify(credentials)).not.toContain("pw");
  expect(listed).toBe(true);
});

it.each([
  { asked: "https://charts.example.evil/stable", why: "another host that begins alike" },
  { asked: "https://charts.example:8443/stable", why: "another port" },
  { asked: "http://charts.example/stable", why: "in the clear" },
  { asked: "https://charts.example/stable-2", why: "another path that begins alike" },
])("gives nothing to $asked: $why", ({ asked }) => {
  const secrets = [
    secret("own", "repository", { url, password: "pw" }),
    secret("creds", "repo-creds", { url, password: "pw" }),
  ];
  expect(chartCredentialsFor(asked, {}, { secrets })).toEqual({ credentials: {}, listed: false });
});

it("completes it from the repo-creds with the longest URL that begins like it", () => {
  const secrets = [
    secret("short", "repo-creds", { url: "https://charts.example", username: "short" }),
    secret("long", "repo-creds", { url: "https://charts.example/sta", username: "none" }),
    secret("right", "repo-creds", { url: "https://charts.example/", username: "right", password: "pw" }),
    secret("own", "repository", { url, type: "helm", insecure: "true" }),
  ];
  const { credentials } = chartCredentialsFor(url, {}, { secrets });
  expect(credentials).toMatchObject({ owner: "own+short", username: "short", insecure: true });
});

it("keeps a project's Secret from others, and takes it before one of no project", () => {
  const secrets = [
    secret("all", "repository", { url, username: "all" }),
    secret("team", "repository", { url, username: "team", project: "team-a" }),
    secret("other", "repo-creds", { url: "oci://registry.example", username: "b", project: "team-b" }),
  ];
  const user = (asked: string, project?: string) =>
    chartCredentialsFor(asked, project === undefined ? {} : { project }, { secrets }).credentials.username;
  expect([user(url), user(url, "team-a"), user(url, "team-b")]).toEqual(["all", "team", "all"]);
  expect([user("oci://registry.example/x", "team-a"), user("oci://registry.example/x", "team-b")]).toEqual([
    undefined,
    "b",
  ]);
});

it("reads the CA of the host, whatever its port", () => {
  const tlsCerts: KubeObject = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "x" },
    data: { "charts.example": "PEM" },
  };
  for (const asked of [url, "oci://charts.example:5000/x", "charts.example:5000/x"]) {
    expect(chartCredentialsFor(asked, {}, { secrets: [], tlsCerts })).toEqual({
      credentials: { ca: "PEM" },
      listed: false,
    });
  }
});

it("refuses what it does not honour by name", () => {
  const secrets = [secret("own", "repository", { url, type: "helm", gcpServiceAccountKey: "{}" })];
  expect(() => chartCredentialsFor(url, {}, { secrets })).toThrow(
    /^gcpServiceAccountKey in the Secret of a chart repository .* is not implemented yet/,
  );
});
