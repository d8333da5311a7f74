import { parseRepoSpec } from "./repo-spec.js";

it.each([
  ["github.com/org/repo", "https://github.com/org/repo", "", ""],
  ["github.com/org/repo//deploy/base?ref=v1", "https://github.com/org/repo", "deploy/base", "v1"],
  ["github.com/org/repo/deploy/base?ref=v1", "https://github.com/org/repo", "deploy/base", "v1"],
  ["https://github.com/org/repo.git/deploy?version=v2", "https://github.com/org/repo.git", "deploy", "v2"],
  ["https://GitHub.com/org/repo?ref=main&version=no", "https://github.com/org/repo", "", "main"],
  ["git@github.com:org/repo.git//x", "git@github.com:org/repo.git", "x", ""],
  ["git@git.example:org/repo.git//deploy?ref=abc", "git@git.example:org/repo.git", "deploy", "abc"],
  ["ssh://git@git.example:7999/org/repo.git//deploy", "ssh://git@git.example:7999/org/repo.git", "deploy", ""],
  ["ssh://git@github.com/org/repo", "git@github.com:org/repo", "", ""],
  ["https://git.example/group/sub/repo//deploy", "https://git.example/group/sub/repo", "deploy", ""],
  ["https://git.example/group/repo/deploy", "https://git.example/group/repo", "deploy", ""],
  [
    "https://me@dev.azure.com/org/project/_git/repo/a/b?ref=v",
    "https://me@dev.azure.com/org/project/_git/repo",
    "a/b",
    "v",
  ],
  ["git::https://git.example/org/repo.git//a", "https://git.example/org/repo.git", "a", ""],
  ["https://git.example/org/repo.git//a/../b", "https://git.example/org/repo.git", "a/../b", ""],
  ["file:///srv/repo.git//x", "file:///srv/repo.git", "x", ""],
])("%s", (address, url, path, ref) => expect(parseRepoSpec(address)).toMatchObject({ url, path, ref }));

it.each([
  "../base",
  "/abs/base",
  "base",
  "https://git.example",
  "https://git.example/one",
  "org/repo",
  "https://git.example/o/r//../../x",
])("%s is no repository", (address) => expect(parseRepoSpec(address)).toBeUndefined());

it.each([
  ["", 27_000, true],
  ["timeout=61", 61_000, true],
  ["timeout=1m30s&submodules=false", 90_000, false],
  ["timeout=-1&submodules=0", 27_000, false],
  ["timeout=soon&submodules=maybe", 27_000, true],
])("reads the query %s", (query, timeout, submodules) =>
  expect(parseRepoSpec(`https://git.example/o/r?${query}`)).toMatchObject({ timeout, submodules }),
);
