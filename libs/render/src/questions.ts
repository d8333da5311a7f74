import type { Answer } from "@tiphys/child-process";

/** An entry of a folder, as Git has it. */
export interface Entry {
  readonly name: string;
  readonly kind: "blob" | "tree" | "symlink" | "submodule";
  readonly id: string;
}

/**
 * What a render asks its service. It has no files of its own: it knows the id of a folder, asks what is in it, and then for the
 * contents it has not seen yet, by their ids. `root` says where: `""` is the source's own repository, others are its references
 * and what came from outside.
 */
export type Question =
  | { readonly ask: "folders"; readonly root: string; readonly ids: readonly string[] }
  | { readonly ask: "files"; readonly root: string; readonly ids: readonly string[] }
  | OutsideQuestion;

/** Something that is in no repository of the application: answered at once if it is known, and else {@link Later}. */
export type OutsideQuestion =
  /** A chart of a repository, for instance a dependency. */
  | {
      readonly ask: "chart";
      readonly repoURL: string;
      readonly chart: string;
      readonly version: string;
      readonly passCredentials?: true;
    }
  /** A base or file elsewhere that a kustomization names. */
  | { readonly ask: "base"; readonly address: string }
  /** A value file by its URL. */
  | { readonly ask: "url"; readonly url: string };

export const questionKey = (question: Question): string => JSON.stringify(question);

/** Where an answer from outside lies: a folder of a further root, or a file of it by its id. */
export interface Placed {
  readonly root: string;
  /** Id of the folder at the top of the root, or of the file. */
  readonly id: string;
  readonly kind: "folder" | "file" | "archive";
  /** Folder in the root that is meant. */
  readonly folder: string;
  /** What is compared to tell whether it is still the same. */
  readonly version: string;
}

/** Answers a question of a render, in the service. */
export type Answers = (question: Question) => Promise<Answer>;

/** Thrown where an answer takes longer than a render may wait: it is given up, and done again when the answer is here. */
export class Later extends Error {
  constructor(readonly question: Question) {
    super(`not known yet: ${questionKey(question)}`);
  }
}
