import type { Clock } from "@tiphys/clock";
import { codeOf, LimitExceededError, UnauthenticatedError } from "@tiphys/errors";
import type { Principal, RandomBytes } from "@tiphys/identity";
import type { KubeClient } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import { Secret } from "@tiphys/secret";
import bcrypt from "bcryptjs";
import { jwtVerify, SignJWT } from "jose";

/** Argo CD's names: a switch in either direction keeps accounts and sessions. */
const SECRET_NAME = "argocd-secret";
const INITIAL_PASSWORD_SECRET = "argocd-initial-admin-secret";
const ISSUER = "argocd";
const SESSION_S = 24 * 3600;
const BCRYPT_ROUNDS = 10;
/** Failed logins per user name and window, as Argo CD. */
const MAX_FAILURES = 5;
const FAILURE_WINDOW_MS = 300_000;
const MAX_USERNAME_BYTES = 32;
const MAX_PASSWORD_LENGTH = 1_024;
const MAX_NAMES = 10_000;
/** Logins that wait for their turn: hashing takes the processor for a while, so they go one by one. */
const MAX_WAITING = 100;
/** Verified tokens that are remembered, so that a page full of requests costs one verification. */
const MAX_VERIFIED = 1_000;

/** Users and their sessions. Step 1 has one account, `admin`. */
export interface Accounts {
  /** A session token; throws Unauthenticated for a wrong name or password, without saying which. */
  login(username: string, password: string): Promise<string>;
  /** The user behind a token; throws Unauthenticated. */
  verify(token: string): Promise<Principal>;
  /** The password made at first start, while the secret that holds it exists. */
  initialPassword(): Promise<Secret | undefined>;
}

const decode = (data: Record<string, string> | undefined, key: string) =>
  data?.[key] === undefined ? undefined : Buffer.from(data[key], "base64").toString("utf8");
const encode = (text: string) => Buffer.from(text).toString("base64");

export interface AccountsOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/** Reads `argocd-secret`, making what is missing: the signing key, the admin password, and the secret that shows it once. */
export async function openAccounts({ client, namespace, clock, random }: AccountsOptions): Promise<Accounts> {
  let secret = await getOrCreate(client, namespace, SECRET_NAME);
  const missing: Record<string, string> = {};
  if (!secret["data"]?.["server.secretkey"]) {
    missing["server.secretkey"] = encode(Buffer.from(random(32)).toString("base64"));
  }
  if (!secret["data"]?.["admin.password"]) {
    const password = Buffer.from(random(12)).toString("base64url");
    await getOrCreate(client, namespace, INITIAL_PASSWORD_SECRET, { password: encode(password) });
    missing["admin.password"] = encode(await bcrypt.hash(password, BCRYPT_ROUNDS));
    missing["admin.passwordMtime"] = encode(clock.now().toISOString());
  }
  if (Object.keys(missing).length > 0) {
    secret = await client.patch(
      types.secrets,
      { namespace, name: SECRET_NAME },
      { type: "merge", body: { data: missing } },
    );
  }
  const key = Buffer.from(secret["data"]?.["server.secretkey"] ?? "", "base64");
  const failures = new Map<string, { count: number; since: number }>();
  const verified = new Map<string, { principal: Principal; expires: number }>();
  const passwordSetAt = Date.parse(decode(secret["data"], "admin.passwordMtime") ?? "");
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();

  /** One at a time: attempts side by side would all pass before the first of them counts as failed. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (waiting >= MAX_WAITING) throw new LimitExceededError("too many logins at once; try again in a moment");
    waiting++;
    const turn = last.then(work).finally(() => {
      waiting--;
    });
    last = turn.catch(() => {});
    return turn;
  }

  async function matches(username: string, password: string): Promise<boolean> {
    const now = clock.now().getTime();
    const recent = failures.get(username);
    if (recent && now - recent.since > FAILURE_WINDOW_MS) failures.delete(username);
    else if (recent && recent.count >= MAX_FAILURES) {
      throw new LimitExceededError("too many failed logins for this user; try again in five minutes");
    }
    const current = await client.get(types.secrets, { namespace, name: SECRET_NAME });
    // The hash is compared for unknown names too: the time taken must not tell which names exist.
    const right = await bcrypt.compare(password, decode(current["data"], "admin.password") ?? "");
    if (right && username === "admin") {
      failures.delete(username);
      return true;
    }
    const oldest = failures.keys().next().value;
    if (failures.size >= MAX_NAMES && oldest !== undefined) failures.delete(oldest);
    const entry = failures.get(username) ?? { count: 0, since: now };
    failures.set(username, { ...entry, count: entry.count + 1 });
    return false;
  }

  return {
    async login(username, password) {
      const tooLong = Buffer.byteLength(username) > MAX_USERNAME_BYTES || password.length > MAX_PASSWORD_LENGTH;
      if (tooLong || !(await inTurn(() => matches(username, password))))
        throw new UnauthenticatedError("Invalid username or password");
      const seconds = Math.floor(clock.now().getTime() / 1000);
      return await new SignJWT({ jti: Buffer.from(random(16)).toString("hex") })
        .setProtectedHeader({ alg: "HS256", typ: "JWT" })
        .setIssuer(ISSUER)
        .setSubject(`${username}:login`)
        .setIssuedAt(seconds)
        .setNotBefore(seconds)
        .setExpirationTime(seconds + SESSION_S)
        .sign(key);
    },
    async verify(token) {
      const now = clock.now();
      const known = verified.get(token);
      if (known && known.expires > now.getTime()) return known.principal;
      try {
        const { payload } = await jwtVerify(token, key, { issuer: ISSUER, algorithms: ["HS256"], currentDate: now });
        const username = (payload.sub ?? "").split(":")[0] ?? "";
        if (username !== "admin") throw new UnauthenticatedError(`account ${username} does not exist`);
        const principal: Principal = { username, groups: ["system:authenticated"] };
        // Times in tokens are whole seconds.
        if ((payload.iat ?? 0) < Math.floor(passwordSetAt / 1000))
          throw new UnauthenticatedError("the password has changed since");
        if (verified.size >= MAX_VERIFIED) verified.clear();
        verified.set(token, { principal, expires: (payload.exp ?? 0) * 1000 });
        return principal;
      } catch (cause) {
        throw new UnauthenticatedError("invalid session: log in again", { cause });
      }
    },
    async initialPassword() {
      const stored = await client.get(types.secrets, { namespace, name: INITIAL_PASSWORD_SECRET }).catch((error) => {
        if (codeOf(error) === "NotFound") return undefined;
        throw error;
      });
      const password = decode(stored?.["data"], "password");
      return password === undefined ? undefined : new Secret(password);
    },
  };
}

async function getOrCreate(
  client: KubeClient,
  namespace: string,
  name: string,
  data: Record<string, string> = {},
): Promise<KubeObject> {
  try {
    return await client.get(types.secrets, { namespace, name });
  } catch (error) {
    if (codeOf(error) !== "NotFound") throw error;
  }
  const labels = { "app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "argocd" };
  return await client.create(types.secrets, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { namespace, name, labels },
    type: "Opaque",
    data,
  });
}
