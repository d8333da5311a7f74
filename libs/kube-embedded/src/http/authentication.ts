import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { anonymous, type Principal } from "@tiphys/identity";
import { statusError } from "@tiphys/kube";

const unauthorized = () => statusError(401, "Unauthorized", "Unauthorized");

/** Who is asking: by client certificate (CN and O), by bearer token, else nobody known. Then whom they act as. */
export function principalOf(request: IncomingMessage, tokens: ReadonlyMap<string, Principal>): Principal {
  return impersonated(request, authenticated(request, tokens));
}

function authenticated(request: IncomingMessage, tokens: ReadonlyMap<string, Principal>): Principal {
  const socket = request.socket as TLSSocket;
  const certificate = socket.getPeerCertificate();
  if (certificate?.subject) {
    if (!socket.authorized) throw unauthorized();
    const { CN, O } = certificate.subject as unknown as { CN?: string; O?: string | string[] };
    const groups = O === undefined ? [] : Array.isArray(O) ? O : [O];
    return { username: CN ?? "", groups: [...groups, "system:authenticated"] };
  }
  const { authorization } = request.headers;
  if (authorization === undefined) return anonymous;
  const token = /^bearer\s+(.+)$/i.exec(authorization)?.[1];
  const principal = token === undefined ? undefined : tokens.get(token);
  if (!principal) throw unauthorized();
  return principal;
}

function impersonated(request: IncomingMessage, principal: Principal): Principal {
  const user = request.headers["impersonate-user"];
  if (user === undefined) return principal;
  if (!principal.groups.includes("system:masters")) {
    throw statusError(
      403,
      "Forbidden",
      `users "${String(user)}" is forbidden: User "${principal.username}" cannot impersonate resource "users" in API group "" at the cluster scope`,
      { name: String(user), kind: "users" },
    );
  }
  const groups: string[] = [];
  const extra: Record<string, string[]> = {};
  // Header names repeat, one value each.
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const name = (request.rawHeaders[i] ?? "").toLowerCase();
    const value = request.rawHeaders[i + 1] ?? "";
    if (name === "impersonate-group") groups.push(value);
    const field = /^impersonate-extra-(.+)$/.exec(name)?.[1];
    if (field) extra[decodeURIComponent(field)] = [...(extra[decodeURIComponent(field)] ?? []), value];
  }
  const uid = request.headers["impersonate-uid"];
  const known = user === anonymous.username ? "system:unauthenticated" : "system:authenticated";
  return {
    username: String(user),
    groups: groups.includes(known) ? groups : [...groups, known],
    ...(uid === undefined ? {} : { uid: String(uid) }),
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  };
}
