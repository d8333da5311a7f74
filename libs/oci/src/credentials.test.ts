import { parseChallenges } from "./authorizer.js";
import { keyringOf } from "./index.js";

const auth = (pair: string) => ({ auth: Buffer.from(pair).toString("base64") });

it.each([
  ["ghcr.io", "team/app", "team"],
  ["ghcr.io", "teamwork/app", "all"],
  ["docker.io", "library/node", "hub"],
  ["eu.mirror.example", "x", "glob"],
  ["a.b.mirror.example", "x", undefined],
  ["127.0.0.1:5000", "x", "port"],
  ["127.0.0.1", "x", undefined],
])("chooses for %s/%s the credential of %s", (registry, repository, username) => {
  const keyring = keyringOf([
    JSON.stringify({
      auths: {
        "ghcr.io": auth("all:1"),
        "https://ghcr.io/team": { username: "team", password: "2" },
        "https://index.docker.io/v1/": auth("hub:3"),
        "*.mirror.example": auth("glob:4"),
        "127.0.0.1:5000": auth("port:5:6"),
        "empty.example": {},
      },
    }),
  ]);
  expect(keyring(registry, repository)[0]?.username).toBe(username);
});

it("keeps colons of a password and shows nothing of it", () => {
  const [credential] = keyringOf([JSON.stringify({ "x.example": auth("u:a:b") })])("x.example", "y");
  expect(credential?.password.reveal()).toBe("a:b");
  expect(JSON.stringify(credential)).not.toContain("a:b");
});

it("reads several challenges in one header", () => {
  expect(
    parseChallenges('Basic realm="a, b", Bearer realm="https://t/token",service=s,scope="repository:a:pull,push"'),
  ).toEqual([
    { scheme: "basic", parameters: { realm: "a, b" } },
    { scheme: "bearer", parameters: { realm: "https://t/token", service: "s", scope: "repository:a:pull,push" } },
  ]);
});
