import { X509Certificate } from "node:crypto";
import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import { selfApprovals, signerProblem, validity } from "@tiphys/kube-access";
import type { KubeObject } from "@tiphys/resources";
import { CERTIFICATE_REQUESTS, textOf } from "../api/certificate-requests.js";
import { timestamp } from "../api/names.js";
import type { Parts, WriteContext } from "../api/parts.js";
import { commitUpdate } from "../api/writes.js";
import { type Credentials, issuerOf, serialNumber } from "../pki/credentials.js";
import { issueCertificate, parseRequest } from "../pki/x509.js";

const context = (controller: string): WriteContext => ({
  principal: { username: `system:serviceaccount:kube-system:${controller}`, groups: ["system:masters"] },
  manager: "kube-controller-manager",
  fieldValidation: "Ignore",
  dryRun: false,
  warn: () => undefined,
});
const HOUR_MS = 3_600_000;
/** How long a request is kept once it is approved or refused, or while nobody decides. */
const DECIDED_MS = HOUR_MS;
const PENDING_MS = 24 * HOUR_MS;

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastUpdateTime?: string;
}
const conditionsOf = (request: KubeObject): readonly Condition[] => request["status"]?.conditions ?? [];
const condition = (request: KubeObject, type: string) =>
  conditionsOf(request).find((one) => one.type === type && one.status === "True");

/** Approves what kubelets ask for themselves, signs what is approved, and clears away old requests. */
export class CertificateSigner {
  private readonly queue = new Set<string>();
  private working: Promise<void> | undefined;
  private cancelCleaning: (() => void) | undefined;
  private stopped = false;
  private readonly unobserve: () => void;

  constructor(
    private readonly parts: Parts,
    private readonly keys: Credentials,
    private readonly clock: Clock,
  ) {
    for (const key of parts.store.keys(CERTIFICATE_REQUESTS)) this.queue.add(key.slice(key.indexOf("/") + 1));
    this.unobserve = parts.store.observe(({ collection, type, object }) => {
      if (collection !== CERTIFICATE_REQUESTS || type === "DELETED") return;
      this.queue.add(object.metadata.name);
      this.wake();
    });
    if (this.queue.size > 0) this.wake();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.unobserve();
    this.cancelCleaning?.();
    await this.working;
  }

  private wake(): void {
    if (this.working || this.stopped) return;
    this.working = this.clock.track(this.run()).finally(() => {
      this.working = undefined;
      if (this.queue.size > 0) this.wake();
    });
  }

  private async run(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (const name of this.queue) {
      if (this.stopped) return;
      this.queue.delete(name);
      const request = this.parts.store.get(CERTIFICATE_REQUESTS, undefined, name);
      if (!request) continue;
      try {
        await this.look(request);
      } catch (error) {
        this.parts.log.warn("a certificate request was not served", { request: name, error: messageOf(error) });
      }
    }
    this.cancelCleaning ??= this.clock.at(new Date(this.clock.now().getTime() + HOUR_MS), () => this.clean());
  }

  private async look(request: KubeObject): Promise<void> {
    if (request["status"]?.certificate || condition(request, "Failed")) return;
    const parsed = parseRequest(textOf(request));
    if (!parsed) return;
    const { signerName, usages = [], username = "", groups = [], expirationSeconds } = request["spec"];
    const now = this.clock.now();
    if (!condition(request, "Approved")) {
      if (condition(request, "Denied")) return;
      const right = selfApprovals(signerName, parsed, usages, username).find(
        ({ subresource }) =>
          this.parts.access.decide(
            { username, groups },
            { verb: "create", group: "certificates.k8s.io", resource: "certificatesigningrequests", subresource },
          ).allowed,
      );
      if (!right) return;
      const approved = { type: "Approved", status: "True", reason: "AutoApproved", message: right.message };
      const status = { ...request["status"], conditions: [...conditionsOf(request), approved] };
      return this.write(request, status, "approval", "certificate-controller");
    }
    const { known, problem } = signerProblem(signerName, parsed, usages);
    if (!known) return;
    if (problem !== undefined) {
      const failed = {
        type: "Failed",
        status: "True",
        reason: "SignerValidationFailure",
        message: problem,
        lastUpdateTime: timestamp(now),
      };
      const status = { ...request["status"], conditions: [...conditionsOf(request), failed] };
      return this.write(request, status, "status", "certificate-controller");
    }
    const end = new Date(new X509Certificate(this.keys.ca).validTo);
    const { from, to } = validity(now, expirationSeconds, end);
    const certificate = issueCertificate(
      {
        subject: parsed.subject,
        publicKey: parsed.publicKey,
        altNames: parsed.altNames,
        usages,
        serial: serialNumber(this.parts.random),
        notBefore: from,
        notAfter: to,
      },
      issuerOf(this.keys),
    );
    const status = { ...request["status"], certificate: Buffer.from(certificate).toString("base64") };
    return this.write(request, status, "status", "certificate-controller");
  }

  private async write(request: KubeObject, status: object, subresource: string, controller: string): Promise<void> {
    const kind = this.parts.kinds.ofCollection(CERTIFICATE_REQUESTS);
    if (!kind) return;
    const wanted: KubeObject = { ...request, metadata: { ...request.metadata }, status };
    await commitUpdate(
      this.parts,
      { kind, name: request.metadata.name, subresource },
      wanted,
      request,
      context(controller),
    );
  }

  private clean(): void {
    this.cancelCleaning = undefined;
    const { store } = this.parts;
    const now = this.clock.now().getTime();
    const keys = [...store.keys(CERTIFICATE_REQUESTS)];
    for (const key of keys) {
      const request = store.byKey(CERTIFICATE_REQUESTS, key);
      if (!request) continue;
      const decided = ["Approved", "Denied", "Failed"].map((type) => condition(request, type)).find(Boolean);
      const since = Date.parse(decided?.lastUpdateTime ?? request.metadata.creationTimestamp ?? "");
      if (now - since > (decided ? DECIDED_MS : PENDING_MS)) store.remove(CERTIFICATE_REQUESTS, request);
    }
    if (keys.length > 0 && !this.stopped) {
      this.cancelCleaning = this.clock.at(new Date(now + HOUR_MS), () => this.clean());
    }
  }
}
