import type { KubeObject } from "@tiphys/resources";
import { credentialsFor, isListedRepository } from "./repository-secrets.js";

const secret = (type: string, data: Record<string, string>): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "x", namespace: "argocd", labels: { "argocd.argoproj.io/secret-type": type } },
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")])),
});
const url = "https://git.example/org/repo.git";
const none = { project: "" };

it("takes the repository's own Secret, in any spelling of its URL", () => {
  const own = secret("repository", {
    url: "https://git.example/org/repo",
    username: "bot",
    password: "pw",
    insecure: "true",
  });
  const found = credentialsFor(url, none, {
    secrets: [secret("repository", { url: "https://git.example/other" }), own],
  });
  expect(found).toMatchObject({ username: "bot", insecure: true });
  expect(found.password?.reveal()).toBe("pw");
  expect(JSON.stringify(found)).not.toContain("pw");
});

it("completes it from the repo-creds with the longest matching URL", () => {
  const found = credentialsFor(url, none, {
    secrets: [
      secret("repo-creds", { url: "https://git.example/", password: "short" }),
      secret("repo-creds", { url: "https://git.example/org", password: "long" }),
      secret("repository", { url, proxy: "http://proxy:3128" }),
    ],
  });
  expect(found.password?.reveal()).toBe("long");
  expect(found.proxy).toBe("http://proxy:3128");
});

it.each([
  ["https://git.example/org/repo.git", "https://git.example/org/repo", true],
  ["https://git.example:443/org/repo", "https://git.example/org/repo", true],
  ["https://Git.Example/Org/Repo/", "https://git.example/org/repo", true],
  ["https://someone@git.example/org/repo", "https://git.example/org/repo", true],
  ["http://git.example/org/repo", "https://git.example/org/repo", false],
  ["https://git.example:8443/org/repo", "https://git.example/org/repo", false],
  ["https://git.example/org/repo", "ssh://git.example/org/repo", false],
  ["https://git.example.evil.test/org/repo", "https://git.example/org/repo", false],
  ["ssh://git@git.example:22/org/repo.git", "git@git.example:org/repo", true],
  ["ssh://git@git.example:2222/org/repo.git", "git@git.example:org/repo", false],
  ["other@git.example:org/repo", "git@git.example:org/repo", false],
])("for %s the Secret of %s counts: %s", (asked, listed, want) => {
  const own = { secrets: [secret("repository", { url: listed, username: "bot", password: "pw" })] };
  expect(credentialsFor(asked, none, own).password?.reveal()).toBe(want ? "pw" : undefined);
  expect(isListedRepository(asked, none, own)).toBe(want);
});

it.each([
  ["https://git.example/org/repo", "https://git.example", true],
  ["https://git.example/org/repo", "https://git.example/o", true],
  ["https://git.example/organs/repo", "https://git.example/org/", false],
  ["https://git.example.evil.test/org/repo", "https://git.example", false],
  ["http://git.example/org/repo", "https://git.example/org", false],
  ["https://git.example:8443/org/repo", "https://git.example/org", false],
  ["https://git.example@evil.test/org/repo", "https://git.example", false],
  ["ssh://git@git.example/org/repo", "git@git.example:org", true],
  ["git@git.example:org/repo", "git@git.example", true],
  ["git@git.example:org/repo", "ssh://git@git.example", true],
])("for %s the template of %s counts: %s", (asked, prefix, want) => {
  const templates = { secrets: [secret("repo-creds", { url: prefix, password: "pw" })] };
  expect(credentialsFor(asked, none, templates).password?.reveal()).toBe(want ? "pw" : undefined);
});

it("gives the Secrets of a project to that project alone, and there before those of none", () => {
  const secrets = [
    secret("repository", { url, password: "of all" }),
    secret("repository", { url, password: "of a", project: "team-a" }),
  ];
  const of = (project: string, among = secrets) => {
    const { password, scope } = credentialsFor(url, { project }, { secrets: among });
    return [password?.reveal(), scope];
  };
  expect(of("team-a")).toEqual(["of a", "team-a"]);
  expect(of("team-b")).toEqual(["of all", undefined]);
  expect(of("")).toEqual(["of all", undefined]);
  expect(of("team-b", secrets.slice(1))).toEqual([undefined, undefined]);
  expect(isListedRepository(url, { project: "team-b" }, { secrets: secrets.slice(1) })).toBe(false);
});

it("reads the depth of fetches, where 0 is everything", () => {
  const depth = (text: string) =>
    credentialsFor(url, none, { secrets: [secret("repository", { url, depth: text })] }).depth;
  expect([depth("3"), depth("0")]).toEqual([3, undefined]);
});

it("reads certificates and host keys from Argo CD's ConfigMaps", () => {
  const configMap = (data: object): KubeObject => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "x" },
    data,
  });
  const found = credentialsFor(url, none, {
    secrets: [],
    tlsCerts: configMap({ "git.example": "PEM" }),
    sshKnownHosts: configMap({ ssh_known_hosts: "git.example ssh-ed25519 AAAA" }),
  });
  expect(found).toEqual({ ca: "PEM", sshKnownHosts: "git.example ssh-ed25519 AAAA" });
});

it.each([
  ["type", "helm", /repository type helm/],
  ["githubAppID", "1", /githubAppID.*without githubAppPrivateKey/],
  ["gcpServiceAccountKey", "{}", /gcpServiceAccountKey/],
  ["azureServicePrincipalClientId", "x", /azureServicePrincipalClientId/],
  ["depth", "deep", /depth: "deep" in the repository Secret of .* is not a number/],
])("refuses %s=%s by name", (key, value, want) =>
  expect(() => credentialsFor(url, none, { secrets: [secret("repository", { url, [key]: value })] })).toThrow(want),
);
