import { limits } from "@tiphys/limits";
import { type SimpleGit, simpleGit } from "simple-git";

/**
 * simple-git with exactly our environment. Its guards against hostile variables are told which ones are ours: all of
 * them are made in `gitEnvironment`, none comes from a user.
 */
export function convenience(
  directory: string,
  variables: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): SimpleGit {
  return simpleGit({
    baseDir: directory,
    timeout: { block: limits.gitMilliseconds },
    allowEnvironment: Object.keys(variables),
    unsafe: {
      allowUnsafeSshCommand: true,
      allowUnsafeConfigEnvCount: true,
      allowUnsafeAskPass: true,
      allowUnsafeConfigPaths: true,
      allowUnsafeUrlRewrite: true,
      allowUnsafeProtocolOverride: true,
      allowUnsafeCredentialHelper: true,
    },
    ...(signal ? { abort: signal } : {}),
  }).env({ ...variables });
}
