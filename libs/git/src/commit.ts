import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { RepositoryCredentials } from "./credentials.js";
import { gitEnvironment } from "./environment.js";
import { gitError } from "./errors.js";
import { convenience } from "./simple.js";
import { checkRepositoryUrl } from "./url.js";

export interface CommitRequest {
  readonly url: string;
  readonly branch: string;
  readonly message: string;
  readonly author: { readonly name: string; readonly email: string };
  /** Path → new text; null removes the file. */
  readonly files: Readonly<Record<string, string | null>>;
  readonly credentials?: RepositoryCredentials;
  /** Folder for the temporary clone. */
  readonly directory: string;
  readonly searchPath: string;
  readonly signal?: AbortSignal;
}

/** Commits `files` onto the branch and pushes; answers the commit, or undefined when nothing would change. */
export async function commitAndPush(request: CommitRequest): Promise<string | undefined> {
  const { url, branch, credentials, directory, searchPath, signal } = request;
  checkRepositoryUrl(url);
  await mkdir(directory, { recursive: true });
  const work = await mkdtemp(join(directory, "commit-"));
  const environment = await gitEnvironment({
    url,
    privateDirectory: directory,
    searchPath,
    ...(credentials ? { credentials } : {}),
  });
  try {
    const outside = convenience(directory, environment.variables, signal);
    await outside.clone(url, work, ["--depth", "1", "--branch", branch, "--quiet"]);
    for (const [path, text] of Object.entries(request.files)) {
      const target = join(work, path);
      if (text === null) await rm(target, { force: true });
      else {
        await mkdir(dirname(target), { recursive: true });
        await writeFile(target, text);
      }
    }
    const { name, email } = request.author;
    const git = convenience(
      work,
      {
        ...environment.variables,
        GIT_AUTHOR_NAME: name,
        GIT_AUTHOR_EMAIL: email,
        GIT_COMMITTER_NAME: name,
        GIT_COMMITTER_EMAIL: email,
      },
      signal,
    );
    await git.add(["--all"]);
    if ((await git.status()).isClean()) return undefined;
    await git.commit(request.message);
    await git.push("origin", `HEAD:refs/heads/${branch}`);
    return (await git.revparse(["HEAD"])).trim();
  } catch (error) {
    throw gitError(url, error instanceof Error ? error.message : String(error), signal?.aborted);
  } finally {
    await environment.dispose();
    await rm(work, { recursive: true, force: true });
  }
}
