// What the comparisons of all engines share: running a program, and telling where two results differ.
import { spawn } from "node:child_process";
import { canonicalJson } from "@tiphys/canonical-json";
import { parseYamlDocuments } from "@tiphys/yaml";

/** How one source came out with both. */
export type Outcome =
  | { readonly kind: "equal"; readonly objects: number; readonly sameText: boolean }
  | { readonly kind: "both fail"; readonly ours: string; readonly theirs: string }
  | { readonly kind: "different"; readonly problem: string }
  /** The program itself could not be asked, or answers something else each time. */
  | { readonly kind: "not comparable"; readonly reason: string };

export type Answer = { readonly text: string } | { readonly error: string; readonly timedOut?: boolean };
export type OwnAnswer =
  | { readonly text: string; readonly objects: readonly unknown[] }
  | { readonly error: string; readonly stack: string; readonly cause: unknown };

/** Longest time for one run of a program, in milliseconds. */
const DEADLINE_MS = 60_000;

/** What a program prints, or its error. */
export function ask(
  program: string,
  args: readonly string[],
  { cwd, env = {} }: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      ...(cwd ? { cwd } : {}),
      env: { PATH: process.env["PATH"], HOME: "/nonexistent", TZ: "UTC", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: DEADLINE_MS,
      killSignal: "SIGKILL",
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (part: Buffer) => out.push(part));
    child.stderr.on("data", (part: Buffer) => err.push(part));
    child.once("error", (error) => resolve({ error: error.message, timedOut: true }));
    child.once("close", (status, signal) => {
      if (status === 0) resolve({ text: Buffer.concat(out).toString() });
      else resolve({ error: Buffer.concat(err).toString(), ...(signal ? { timedOut: true } : {}) });
    });
  });
}

/** What our engine gives, or the error it throws. */
export function answer(run: () => { readonly text: string; readonly objects: readonly unknown[] }): OwnAnswer {
  try {
    return run();
  } catch (error) {
    return { error: (error as Error).message, stack: (error as Error).stack ?? "", cause: error };
  }
}

export const objectsOf = (text: string): unknown[] => parseYamlDocuments(text).map(({ value }) => value);

const isBranch = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** Where two values differ, as paths; empty when they are equal. */
export function differences(a: unknown, b: unknown, path = "", into: string[] = []): string[] {
  if (into.length > 200) return into;
  if (isBranch(a) && isBranch(b) && Array.isArray(a) === Array.isArray(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      differences(a[key], b[key], `${path}/${key.replaceAll("/", "~1")}`, into);
    }
  } else if (a !== b && canonicalJson(a ?? null) !== canonicalJson(b ?? null)) into.push(path);
  return into;
}

const at = (value: unknown, path: string): unknown =>
  path
    .split("/")
    .slice(1)
    .reduce<unknown>((each, key) => (each as Record<string, unknown> | undefined)?.[key.replaceAll("~1", "/")], value);

const shown = (value: unknown): string | undefined =>
  JSON.stringify(value, (_, member) => (typeof member === "bigint" ? `${member}n` : member))?.slice(0, 600);

/**
 * Compares what both gave. Where a program makes its own random values, `again` asks it once more and what differs between its two
 * answers is left out.
 */
export async function judge(
  name: string,
  ours: OwnAnswer,
  theirs: Answer,
  { read = objectsOf, again }: { read?: (text: string) => unknown[]; again?: () => Promise<Answer> } = {},
): Promise<Outcome> {
  if ("error" in theirs || "error" in ours) {
    if ("error" in theirs && !("error" in ours) && /^goroutine \d+ \[/m.test(theirs.error))
      return {
        kind: "not comparable",
        reason: `${name} crashed: ${theirs.error.split("\n").find((line) => line.startsWith("panic:"))}`,
      };
    if ("timedOut" in theirs) return { kind: "not comparable", reason: `${name} gave no answer in time` };
    if ("error" in theirs && "error" in ours) return { kind: "both fail", ours: ours.error, theirs: theirs.error };
    return {
      kind: "different",
      problem:
        "error" in ours
          ? `only ours fails: ${ours.error}\n${ours.stack}`
          : `only ${name} fails: ${(theirs as { error: string }).error}`,
    };
  }
  let right: unknown[];
  try {
    right = read(theirs.text);
  } catch (error) {
    return { kind: "different", problem: `what ${name} prints cannot be read here: ${(error as Error).message}` };
  }
  const left = ours.objects;
  let found = differences(left, right);
  for (let tries = 0; again && tries < 3 && found.length > 0; tries++) {
    const second = await again();
    const random = "text" in second ? differences(right, read(second.text)) : [];
    found = found.filter((path) => !random.some((each) => path === each || path.startsWith(`${each}/`)));
  }
  if (found.length === 0) return { kind: "equal", objects: left.length, sameText: ours.text === theirs.text };
  const lines = found.slice(0, 8).map((path) => {
    const object = right[Number(path.split("/")[1])] as { kind?: string; metadata?: { name?: string } } | undefined;
    const named = object?.kind ? `${object.kind}/${object.metadata?.name} ` : "";
    return `${named}${path}\n    ours: ${shown(at(left, path))}\n    ${name}: ${shown(at(right, path))}`;
  });
  return {
    kind: "different",
    problem: `${found.length > 200 ? "more than 200" : found.length} differences (${left.length} and ${right.length} objects)\n  ${lines.join("\n  ")}`,
  };
}
