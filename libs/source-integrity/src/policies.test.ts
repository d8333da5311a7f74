import { effectiveIntegrity, type GitPolicy, integrityProblem, policyFor } from "./index.js";

const url = "https://git.example/org/repo.git";
const of = (...urls: string[]): GitPolicy => ({ repos: urls.map((each) => ({ url: each })), gpg: { mode: "head" } });

it.each([
  { why: "a star goes through slashes", policies: [of("https://git.example/*")], want: true },
  { why: "another host", policies: [of("https://other.example/*")], want: false },
  { why: "a denial outranks", policies: [of("*", "!https://git.example/org/*")], want: false },
  { why: "a denial alone includes nothing", policies: [of("!https://other.example/*")], want: false },
  { why: "mode none asks for nothing", policies: [{ ...of("*"), gpg: { mode: "none" } }], want: false },
])("finds the policy of a repository: $why", ({ policies, want }) =>
  expect(policyFor({ git: { policies } }, url) !== undefined).toBe(want),
);

it("refuses to choose between two policies of one repository", () =>
  expect(() => policyFor({ git: { policies: [of("*"), of(url)] } }, url)).toThrow(
    `multiple (2) git source integrity policies found for repo URL: ${url}`,
  ));

it("reads signatureKeys as a policy for every repository", () => {
  const integrity = effectiveIntegrity({ signatureKeys: [{ keyID: "4AEE18F83AFDEB23" }] });
  expect(policyFor(integrity, url)?.gpg).toEqual({ mode: "head", keys: ["4AEE18F83AFDEB23"] });
  expect(effectiveIntegrity({ signatureKeys: [] })).toBeUndefined();
});

it.each([
  {
    spec: { signatureKeys: [{ keyID: "4AEE18F83AFDEB23" }], sourceIntegrity: {} },
    want: "spec.signatureKeys cannot be used together with spec.sourceIntegrity",
  },
  { spec: { sourceIntegrity: { helm: { policies: [] } } }, want: "spec.sourceIntegrity.helm is not implemented yet" },
  {
    spec: { sourceIntegrity: { git: { policies: [{ repos: [{ url: "*" }] }] } } },
    want: "spec.sourceIntegrity.git.policies[0]: give one of gpg and ssh",
  },
  {
    spec: { sourceIntegrity: { git: { policies: [{ gpg: { mode: "deep" } }] } } },
    want: 'unknown GPG mode "deep" configured for GIT source integrity',
  },
  {
    spec: { sourceIntegrity: { git: { policies: [{ x509: {} } as GitPolicy] } } },
    want: "spec.sourceIntegrity.git.policies[0].x509 is not implemented yet",
  },
])("refuses $want", ({ spec, want }) => expect(integrityProblem(spec)).toBe(want));
