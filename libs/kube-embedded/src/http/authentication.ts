import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { anonymous, type Principal } from "@tiphys/identity";
import { statusError } from "@tiphys/kube";
import { type Attributes, impersonate, withoutName } from "@tiphys/kube-access";
import { type Access, refused } from "../access/access.js";
import type { Authenticate } from "../access/tokens.js";
import { badRequest } from "../api/status.js";

const unauthorized = () => statusError(401, "Unauthorized", "Unauthorized");
const CREDENTIAL_ID = "authentication.kubernetes.io/credential-id";

/** Who is asking: by client certificate (CN and O), by bearer token, else nobody known. */
export function authenticated(
  request: IncomingMessage,
  authenticate: Authenticate,
  warn: (message: string) => void,
): Principal {
  const certificate = holderOf(request.socket as TLSSocket);
  if (typeof certificate === "object") return certificate;
  const token = bearerToken(request);
  const found = token === undefined ? undefined : authenticate(token);
  if (found?.warning) warn(found.warning);
  if (found?.user) return found.user;
  // Credentials that say nothing good are not the same as none.
  if (certificate === "refused" || token !== undefined) throw unauthorized();
  return anonymous;
}

const holders = new WeakMap<TLSSocket, Principal | "refused" | "none">();

/** The holder of the client certificate of a connection; read once, as it cannot change. */
function holderOf(socket: TLSSocket): Principal | "refused" | "none" {
  const known = holders.get(socket);
  if (known) return known;
  const found = readHolder(socket);
  holders.set(socket, found);
  return found;
}

function readHolder(socket: TLSSocket): Principal | "refused" | "none" {
  const certificate = socket.getPeerCertificate?.();
  if (!certificate?.subject) return "none";
  if (!socket.authorized) return "refused";
  const { CN, O } = certificate.subject as unknown as { CN?: string | string[]; O?: string | string[] };
  const username = Array.isArray(CN) ? CN.at(-1) : CN;
  // A certificate without a name is nobody's.
  if (!username) return "none";
  const groups = O === undefined ? [] : Array.isArray(O) ? O : [O];
  const digest = createHash("sha256").update(certificate.raw).digest("hex");
  return {
    username,
    groups: groups.includes("system:authenticated") ? groups : [...groups, "system:authenticated"],
    extra: { [CREDENTIAL_ID]: [`X509SHA256=${digest}`] },
  };
}

const PROTOCOL_TOKEN = "base64url.bearer.authorization.k8s.io.";

/** From the Authorization header, or from the protocols of a WebSocket, for browsers cannot set headers there. */
function bearerToken({ headers }: IncomingMessage): string | undefined {
  const token = /^bearer +(\S+)$/i.exec(headers.authorization?.trim() ?? "")?.[1];
  if (token !== undefined) return token;
  if (headers.upgrade === undefined) return undefined;
  const protocols = headers["sec-websocket-protocol"]?.split(",").map((protocol) => protocol.trim()) ?? [];
  const own = protocols.find((protocol) => protocol.startsWith(PROTOCOL_TOKEN));
  return own === undefined ? undefined : Buffer.from(own.slice(PROTOCOL_TOKEN.length), "base64url").toString();
}

/** Whom the request acts as: the principal, or whom its headers name and the principal may act as for this very request. */
export function actingAs(
  request: IncomingMessage,
  principal: Principal,
  access: Access,
  attributes: Attributes,
): Principal {
  const { headers } = request;
  const username = String(headers["impersonate-user"] ?? "");
  const uid = String(headers["impersonate-uid"] ?? "");
  const groups: string[] = [];
  const extra: Record<string, string[]> = {};
  if (username === "" && !Object.keys(headers).some((name) => name.startsWith("impersonate-"))) return principal;
  // Header names repeat, one value each.
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const name = (request.rawHeaders[i] ?? "").toLowerCase();
    const value = request.rawHeaders[i + 1] ?? "";
    if (name === "impersonate-group") groups.push(value);
    const field = /^impersonate-extra-(.*)$/.exec(name)?.[1];
    if (field !== undefined) {
      const key = unescaped(field);
      extra[key] = [...(extra[key] ?? []), value];
    }
  }
  const hasExtra = Object.keys(extra).length > 0;
  const more = { groups, ...(uid ? { uid } : {}), ...(hasExtra ? { extra } : {}) };
  if (username === "") {
    if (uid || groups.length > 0 || hasExtra) throw badRequest(withoutName(more));
    return principal;
  }
  const decision = impersonate(
    (user, wanted) => access.decide(user, wanted),
    principal,
    { username, ...more },
    attributes,
  );
  if ("user" in decision) return decision.user;
  throw refused(principal, decision.refused, decision.reason);
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
