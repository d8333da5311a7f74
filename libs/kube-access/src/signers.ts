/** What the API server knows of a certificate request, parsed. */
export interface RequestedCertificate {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly altNames: {
    readonly dns: readonly string[];
    readonly ips: readonly string[];
    readonly emails: readonly string[];
    readonly uris: readonly string[];
  };
}

export const CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client";
export const KUBELET_CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet";
export const KUBELET_SERVING_SIGNER = "kubernetes.io/kubelet-serving";
export const LEGACY_SIGNER = "kubernetes.io/legacy-unknown";

/** Longest life of a signed certificate, in seconds: a year. */
const LONGEST_SECONDS = 365 * 24 * 3600;
const SHORTEST_SECONDS = 600;
/** A certificate is good from before now on, for clocks differ. */
const BACKDATED_SECONDS = 300;
/** Certificates of less than this are not shortened by it. */
const SHORT_SECONDS = 8 * 3600;

type Check = (request: RequestedCertificate, usages: readonly string[]) => string | undefined;

const sameSet = (usages: readonly string[], wanted: readonly string[]) =>
  new Set(usages).size === wanted.length && wanted.every((usage) => usages.includes(usage));

const kubelet =
  (
    role: "client auth" | "server auth",
    altNames: (names: RequestedCertificate["altNames"]) => string | undefined,
  ): Check =>
  (request, usages) => {
    if (request.organizations.length !== 1 || request.organizations[0] !== "system:nodes") {
      return "subject organization is not system:nodes";
    }
    const problem = altNames(request.altNames);
    if (problem) return problem;
    const isNode = request.commonName.startsWith("system:node:");
    // The two signers look at the name and the usages in a different order.
    if (role === "client auth" && !isNode) return "subject common name does not begin with system:node:";
    if (
      !sameSet(usages, ["digital signature", role]) &&
      !sameSet(usages, ["digital signature", "key encipherment", role])
    ) {
      return `usages did not match [${["digital signature", "key encipherment", role].sort().join(" ")}]`;
    }
    return isNode ? undefined : "subject common name does not begin with system:node:";
  };

const checks: Readonly<Record<string, Check>> = {
  [CLIENT_SIGNER]: (_, usages) => {
    const other = usages.find((usage) => !["digital signature", "key encipherment", "client auth"].includes(usage));
    if (other !== undefined) return `invalid usage for client certificate: ${other}`;
    return usages.includes("client auth") ? undefined : "missing required usage for client certificate: client auth";
  },
  [KUBELET_CLIENT_SIGNER]: kubelet("client auth", ({ dns, emails, ips, uris }) => {
    if (dns.length > 0) return "DNS subjectAltNames are not allowed";
    if (emails.length > 0) return "Email subjectAltNames are not allowed";
    if (ips.length > 0) return "IP subjectAltNames are not allowed";
    return uris.length > 0 ? "URI subjectAltNames are not allowed" : undefined;
  }),
  [KUBELET_SERVING_SIGNER]: kubelet("server auth", ({ dns, emails, ips, uris }) => {
    if (dns.length + ips.length === 0) return "DNS or IP subjectAltName is required";
    if (emails.length > 0) return "Email subjectAltNames are not allowed";
    return uris.length > 0 ? "URI subjectAltNames are not allowed" : undefined;
  }),
  [LEGACY_SIGNER]: () => undefined,
};

/** Whether a signer is one of the cluster's own, and then why it does not sign this request. */
export function signerProblem(
  signerName: string,
  request: RequestedCertificate,
  usages: readonly string[],
): { readonly known: boolean; readonly problem?: string } {
  const check = checks[signerName];
  if (!check) return { known: false };
  const problem = check(request, usages);
  return { known: true, ...(problem === undefined ? {} : { problem }) };
}

/** From when to when a certificate signed now is good; never longer than its authority. */
export function validity(
  now: Date,
  expirationSeconds: number | undefined,
  authorityEnd: Date,
): { from: Date; to: Date } {
  const seconds = Math.min(LONGEST_SECONDS, Math.max(SHORTEST_SECONDS, expirationSeconds ?? LONGEST_SECONDS));
  const end = now.getTime() + (seconds < SHORT_SECONDS ? seconds : seconds - BACKDATED_SECONDS) * 1000;
  return {
    from: new Date(now.getTime() - BACKDATED_SECONDS * 1000),
    to: new Date(Math.min(end, authorityEnd.getTime())),
  };
}

/** Which right lets a kubelet's request be approved by itself; undefined: a human has to. In the order they are asked. */
export function selfApprovals(
  signerName: string,
  request: RequestedCertificate,
  usages: readonly string[],
  username: string,
): readonly { readonly subresource: string; readonly message: string }[] {
  if (signerName !== KUBELET_CLIENT_SIGNER || signerProblem(signerName, request, usages).problem !== undefined)
    return [];
  const any = {
    subresource: "nodeclient",
    message: "Auto approving kubelet client certificate after SubjectAccessReview.",
  };
  if (username !== request.commonName) return [any];
  return [
    {
      subresource: "selfnodeclient",
      message: "Auto approving self kubelet client certificate after SubjectAccessReview.",
    },
    any,
  ];
}
