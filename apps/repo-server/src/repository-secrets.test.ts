import type { KubeObject } from "@tiphys/resources";
import { credentialsFor } from "./repository-secrets.js";

const secret = (type: string, data: Record<string, string>): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "x", namespace: "argocd", labels: { "argocd.argoproj.io/secret-type": type } },
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")])),
});
const url = "https://git.example/org/repo.git";

it("takes the repository's own Secret, in any spelling of its URL", () => {
  const own = secret("repository", {
    url: "https://git.example/org/repo",
    username: "bot",
    password: "pw",
    insecure: "true",
  });
  const found = credentialsFor(url, { secrets: [secret("repository", { url: "https://git.example/other" }), own] });
  expect(found).toMatchObject({ username: "bot", insecure: true });
  expect(found.password?.reveal()).toBe("pw");
  expect(JSON.stringify(found)).not.toContain("pw");
});

it("completes it from the repo-creds with the longest matching URL", () => {
  const found = credentialsFor(url, {
    secrets: [
      secret("repo-creds", { url: "https://git.example/", password: "short" }),
      secret("repo-creds", { url: "https://git.example/org", password: "long" }),
      secret("repository", { url, proxy: "http://proxy:3128" }),
    ],
  });
  expect(found.password?.reveal()).toBe("long");
  expect(found.proxy).toBe("http://proxy:3128");
});

it("reads the depth of fetches, where 0 is everything", () => {
  const depth = (text: string) => credentialsFor(url, { secrets: [secret("repository", { url, depth: text })] }).depth;
  expect([depth("3"), depth("0")]).toEqual([3, undefined]);
});

it("reads certificates and host keys from Argo CD's ConfigMaps", () => {
  const configMap = (data: object): KubeObject => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "x" },
    data,
  });
  const found = credentialsFor(url, {
    secrets: [],
    tlsCerts: configMap({ "git.example": "PEM" }),
    sshKnownHosts: configMap({ ssh_known_hosts: "git.example ssh-ed25519 AAAA" }),
  });
  expect(found).toEqual({ ca: "PEM", sshKnownHosts: "git.example ssh-ed25519 AAAA" });
});

it.each([
  ["type", "helm", /repository type helm/],
  ["githubAppID", "1", /githubAppID in a repository Secret/],
  ["enableLfs", "true", /enableLfs/],
  ["gcpServiceAccountKey", "{}", /gcpServiceAccountKey/],
  ["azureServicePrincipalClientId", "x", /azureServicePrincipalClientId/],
  ["project", "team-a", /project in a repository Secret/],
  ["depth", "deep", /depth: "deep" in the repository Secret of .* is not a number/],
])("refuses %s=%s by name", (key, value, want) =>
  expect(() => credentialsFor(url, { secrets: [secret("repository", { url, [key]: value })] })).toThrow(want),
);
