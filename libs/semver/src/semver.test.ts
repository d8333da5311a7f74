import { mutations, survives } from "@tiphys/testing";
import { highestOf, isConstraint, isVersion, parseConstraint } from "./index.js";

const tags = [
  "main",
  "v1",
  "1.2",
  "v1.2.3",
  "1.3.0",
  "v1.10.0",
  "v2.0.0-rc.1",
  "v2.0.0-rc.2",
  "release-9",
  "0.9.1",
  "3.0.0+build",
];

it.each([
  { constraint: "1.2.*", want: "v1.2.3", why: "a wildcard stands for any patch" },
  { constraint: "^v1", want: "v1.10.0", why: "versions are compared by number, with or without v" },
  { constraint: ">=1 <1.3", want: "v1.2.3", why: "a blank means and" },
  { constraint: ">=1, <1.3", want: "v1.2.3", why: "a comma means and" },
  { constraint: "*", want: "3.0.0+build", why: "a star takes everything but prereleases" },
  { constraint: "~1.3", want: "1.3.0", why: "a tilde keeps the minor version" },
  { constraint: "1.2 - 1.3", want: "1.3.0", why: "a hyphen is a range" },
  { constraint: "<1 || ~1.2", want: "v1.2.3", why: "the highest of the alternatives" },
  { constraint: "^2.0.0-0", want: "v2.0.0-rc.2", why: "a constraint that names a prerelease takes them" },
  { constraint: "^2", want: undefined, why: "others do not" },
  { constraint: ">3.1", want: undefined, why: "nothing is high enough" },
])("$constraint of tags is $want: $why", ({ constraint, want }) => expect(highestOf(tags, constraint)).toBe(want));

it.each([
  ["v1.0", true, false],
  ["1", true, false],
  ["1.x", false, true],
  ["*", false, true],
  [">= 1.0", false, true],
  ["HEAD", false, false],
  ["feature/x", false, false],
  ["", false, false],
])("%j: version %s, constraint %s", (text, version, constraint) =>
  expect([isVersion(text), isConstraint(text)]).toEqual([version, constraint]),
);

it("survives broken constraints", () =>
  survives(mutations([">=1.2 <2 || ^3.x, !=3.1.4-rc.1+b", "1.2 - 1.4.5", "~>2.*"], 2000), (text) =>
    parseConstraint(text),
  ));
