import type { Answer } from "@tiphys/child-process";
import { InvalidArgumentError, LimitExceededError, UnimplementedError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type { RootFiles } from "./app-source.js";
import { type Answers, type Entry, type OutsideQuestion, type Placed, questionKey } from "./questions.js";

/** Where contents are read by their ids: a repository, or something that was fetched. */
export interface Objects {
  entries(id: string): Promise<readonly Entry[]>;
  blob(id: string, maxBytes: number): Promise<Uint8Array>;
}

/** Files that a render may read: a commit of a repository, or a packed chart. */
export interface Root extends RootFiles {
  readonly objects: Objects;
}

/** What was found outside. */
export interface OutsideFound {
  readonly kind: Placed["kind"];
  readonly id: string;
  /** Folder that is meant in it; absent: its top. */
  readonly folder?: string;
  /** Equal for equal content: a commit, a digest. */
  readonly version: string;
  readonly objects: Objects;
}

/** Who asks for something outside, and how. */
export interface Asking {
  /** Name of the application's project: credentials may be for one alone. */
  readonly project: string;
  /** Nothing that was remembered counts. */
  readonly fresh: boolean;
  readonly signal?: AbortSignal;
}

export type WantedChart = Omit<Extract<OutsideQuestion, { ask: "chart" }>, "ask">;

/**
 * What renders ask for that is in none of the application's repositories. Each is asked anew for every render that needs it, so
 * it remembers what may be remembered. Absent members are refused by name.
 */
export interface Outside {
  /** A packed chart of a repository, for instance a dependency that is not in `charts/`. */
  chart?(wanted: WantedChart, asking: Asking): Promise<OutsideFound>;
  /** A base or file that a kustomization names by its address. */
  base?(address: string, asking: Asking): Promise<OutsideFound>;
  /** A value file by its URL. */
  url?(url: string, asking: Asking): Promise<OutsideFound>;
}

const refusals: Readonly<Record<OutsideQuestion["ask"], (question: OutsideQuestion) => string>> = {
  chart: (question) => `chart ${question.ask === "chart" ? `${question.chart} of ${question.repoURL}` : ""}`,
  base: (question) => `remote base ${question.ask === "base" ? question.address : ""} of a kustomization`,
  url: () => "a value file by URL",
};

/** Looks a thing up outside; refuses by name what there is no way to. */
export async function lookOutside(outside: Outside, question: OutsideQuestion, asking: Asking): Promise<OutsideFound> {
  if (question.ask === "chart" && outside.chart) {
    return await outside.chart(question, asking);
  }
  if (question.ask === "base" && outside.base) return await outside.base(question.address, asking);
  if (question.ask === "url" && outside.url) return await outside.url(question.url, asking);
  throw new UnimplementedError(refusals[question.ask](question));
}

/** One render's files: answers what it asks, and gets from outside what it needs. */
export interface JobFiles {
  readonly answers: Answers;
  /** Gets what a render gave up for. */
  supply(questions: readonly OutsideQuestion[]): Promise<void>;
  readonly roots: ReadonlyMap<string, Root>;
}

export function jobFiles(given: Readonly<Record<string, Root>>, outside: Outside, asking: Asking): JobFiles {
  const roots = new Map(Object.entries(given));
  const placed = new Map<string, Placed>();
  let bytes = 0;
  const rootOf = (name: string): Root => {
    const root = roots.get(name);
    if (!root) throw new InvalidArgumentError("", `a render asked for files of "${name}", which it was not given`);
    return root;
  };
  const read = async (root: Root, id: string): Promise<Uint8Array> => {
    const most = root.kind === "archive" ? limits.renderInputBytes : limits.yamlFileBytes;
    const data = await root.objects.blob(id, most);
    bytes += data.length;
    if (bytes > limits.renderInputBytes) {
      throw new LimitExceededError(`the files of one source are larger than ${limits.renderInputBytes} bytes together`);
    }
    return data;
  };
  return {
    roots,
    async answers(question): Promise<Answer> {
      switch (question.ask) {
        case "folders": {
          const { objects } = rootOf(question.root);
          return { data: await Promise.all(question.ids.map(async (id) => (await objects.entries(id)).map(entryOf))) };
        }
        case "files": {
          const root = rootOf(question.root);
          return { parts: await Promise.all(question.ids.map((id) => read(root, id))) };
        }
        default:
          return { data: placed.get(questionKey(question)) ?? { later: true } };
      }
    },
    async supply(questions) {
      for (const question of questions) {
        const found = await lookOutside(outside, question, asking);
        const root = `outside-${placed.size}`;
        const { kind, id, folder = "", version, objects } = found;
        roots.set(root, { kind: kind === "folder" ? "folder" : "archive", id, objects });
        placed.set(questionKey(question), { root, id, kind, folder, version });
      }
    },
  };
}

const entryOf = ({ name, kind, id }: Entry): Entry => ({ name, kind, id });
