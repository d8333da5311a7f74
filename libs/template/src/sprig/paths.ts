import type { GoFunction } from "../state.js";

/** Go's path.Clean. */
export function cleanPath(path: string): string {
  if (path === "") return ".";
  const rooted = path[0] === "/";
  const out: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (out.length > 0 && out.at(-1) !== "..") out.pop();
      else if (!rooted) out.push("..");
    } else out.push(part);
  }
  const text = (rooted ? "/" : "") + out.join("/");
  return text === "" ? "." : text;
}

/** Go's path.Base. */
export function basePath(path: string): string {
  if (path === "") return ".";
  const trimmed = path.replace(/\/+$/, "");
  return trimmed === "" ? "/" : trimmed.slice(trimmed.lastIndexOf("/") + 1);
}

const dir = (path: string): string => cleanPath(path.slice(0, path.lastIndexOf("/") + 1));
/** Go's path.Ext. */
export const extension = (path: string): string => {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  return dot < 0 ? "" : name.slice(dot);
};

const onText = (call: (path: string) => string | boolean): GoFunction => ({
  params: ["string"],
  call: ([path]) => call(path),
});
const isAbsolute = (path: string) => path.startsWith("/");

export const pathFunctions: Readonly<Record<string, GoFunction>> = {
  base: onText(basePath),
  dir: onText(dir),
  clean: onText(cleanPath),
  ext: onText(extension),
  isAbs: onText(isAbsolute),
  osBase: onText(basePath),
  osDir: onText(dir),
  osClean: onText(cleanPath),
  osExt: onText(extension),
  osIsAbs: onText(isAbsolute),
};
