import { formatReference, parseReference, withDefaultTag } from "./index.js";

const digest = `sha256:${"a".repeat(64)}`;

it.each([
  ["node", "docker.io/library/node:latest"],
  ["node:20-slim", "docker.io/library/node:20-slim"],
  ["index.docker.io/library/node", "docker.io/library/node:latest"],
  ["argoproj/argocd:v3", "docker.io/argoproj/argocd:v3"],
  ["localhost/x", "localhost/x:latest"],
  ["localhost:5000/x/y:1", "localhost:5000/x/y:1"],
  ["quay.io/a/b-c__d.e/f", "quay.io/a/b-c__d.e/f:latest"],
  ["[::1]:5000/x:1", "[::1]:5000/x:1"],
  [`node@${digest}`, `docker.io/library/node@${digest}`],
  [`ghcr.io/a/b:1@${digest}`, `ghcr.io/a/b:1@${digest}`],
])("reads %s as %s", (text, full) => expect(formatReference(withDefaultTag(parseReference(text)))).toBe(full));

it.each([
  ["", "it is empty"],
  ["UPPER", "must be lowercase"],
  ["docker.io/A/b", "must be lowercase"],
  ["a//b", "invalid reference format"],
  ["a/b:", "invalid reference format"],
  ["a:-x", "invalid reference format"],
  ["a b", "invalid reference format"],
  ["a@sha256:12", "invalid digest format"],
  [`a@sha256:${"G".repeat(64)}`, "invalid digest format"],
  ["https://a/b", "invalid reference format"],
  [`a/${"b".repeat(300)}`, "must not be more than 255 characters"],
])("refuses %p: %s", (text, problem) => expect(() => parseReference(text)).toThrow(problem));
