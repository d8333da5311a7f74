import { readFile, stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, normalize, sep } from "node:path";

const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Serves the console's bundle from `folder`; unknown paths get its index page, so that links into it work. */
export function consoleFiles(folder: string) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405).end();
      return;
    }
    const path = normalize(decodeURIComponentSafely(new URL(request.url ?? "/", "http://local").pathname));
    const wanted = join(folder, path);
    const inside = wanted.startsWith(folder + sep) && extname(wanted) !== "" && (await isFile(wanted));
    const file = inside ? wanted : join(folder, "index.html");
    const body = await readFile(file).catch(() => undefined);
    if (!body) {
      response.writeHead(404, { "content-type": "text/plain" }).end("the console is not built: npm run build\n");
      return;
    }
    response.writeHead(200, {
      "content-type": contentTypes[extname(file)] ?? "application/octet-stream",
      "cache-control": "no-cache",
      "content-security-policy":
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "same-origin",
    });
    response.end(request.method === "HEAD" ? undefined : body);
  };
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "/";
  }
}

const isFile = (path: string) =>
  stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );
