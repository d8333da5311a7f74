import type { Accounts } from "../accounts.js";
import type { Route } from "../router.js";
import { versionMessage } from "../version.js";

const SESSION_COOKIE = "argocd.token";

/** Version, login and logout, as Argo CD has them. */
export function sessionRoutes(accounts: Accounts): Route[] {
  return [
    { method: "GET", path: "/api/version", open: true, handler: () => versionMessage() },
    {
      method: "POST",
      path: "/api/v1/session",
      open: true,
      async handler(call) {
        const { username = "", password = "" } = await call.body<{ username?: string; password?: string }>();
        const token = await accounts.login(String(username), String(password));
        call.response.setHeader("set-cookie", `${SESSION_COOKIE}=${token}; path=/; SameSite=lax; httpOnly; Secure`);
        return { token };
      },
    },
    {
      method: "DELETE",
      path: "/api/v1/session",
      handler({ response }) {
        response.setHeader("set-cookie", `${SESSION_COOKIE}=; path=/; Max-Age=0; SameSite=lax; httpOnly; Secure`);
        return { token: "" };
      },
    },
    {
      method: "GET",
      path: "/api/v1/session/userinfo",
      handler: ({ principal }) => ({
        loggedIn: true,
        username: principal.username,
        iss: "argocd",
        groups: principal.groups,
      }),
    },
  ];
}
