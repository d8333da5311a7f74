import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** How to get each program that some tests need. */
const howToGet = {
  "nats-server": "apt-get install nats-server",
  "redis-server": "apt-get install redis-server",
  postgres: "apt-get install postgresql",
  bwrap: "apt-get install bubblewrap",
  chromium: "apt-get install chromium",
  sshd: "apt-get install openssh-server",
  openssl: "apt-get install openssl",
  git: "apt-get install git",
  gpg: "apt-get install gnupg",
  "docker-registry": "apt-get install docker-registry",
  jsonnet: "apt-get install jsonnet",
  kubectl: "node tools/programs.mjs",
  helm: "node tools/programs.mjs",
  "bare-api-server": "start an API server without controllers and name its kubeconfig in TIPHYS_BARE_KUBECONFIG",
  "real-cluster": "start a control plane and name its kubeconfig in TIPHYS_REAL_KUBECONFIG",
} as const;

export type Program = keyof typeof howToGet;

/** The workspace's root, found from where the tests were started. */
export const workspaceRoot = (): string => {
  let folder = process.cwd();
  while (!existsSync(join(folder, "nx.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error("no nx.json above the working directory");
    folder = parent;
  }
  return folder;
};

const executable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** Programs that are pinned by us and never taken from PATH. */
const pinned: ReadonlySet<string> = new Set(["kubectl", "helm"]);

/** Debian keeps these outside the usual PATH. */
const extraFolders: readonly string[] = ["/usr/sbin", "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin"];

/** Full path of a program that tests may use, or undefined. */
export function programPath(program: Program): string | undefined {
  if (program === "real-cluster") return realClusterKubeconfig();
  if (program === "bare-api-server") return bareServerKubeconfig();
  const folders = pinned.has(program)
    ? [join(workspaceRoot(), ".cache", "programs")]
    : [...(process.env["PATH"] ?? "").split(delimiter), ...extraFolders];
  return folders.map((folder) => join(folder, program)).find(executable);
}

/** Kubeconfig of the real control plane that tests may use, or undefined. */
export function realClusterKubeconfig(): string | undefined {
  const path = process.env["TIPHYS_REAL_KUBECONFIG"];
  return path && existsSync(path) ? path : undefined;
}

/** Kubeconfig of a real API server beside which no controllers run, so that it answers by itself alone; or undefined. */
export function bareServerKubeconfig(): string | undefined {
  const path = process.env["TIPHYS_BARE_KUBECONFIG"];
  return path && existsSync(path) ? path : undefined;
}

/**
 * A describe block that needs programs. Where one is absent the block is skipped by name, saying how to get it; under
 * `npm test -- --all` it fails instead.
 */
export function describeWith(programs: readonly Program[], name: string, body: () => void): void {
  const missing = programs.filter((program) => !programPath(program));
  if (missing.length === 0) {
    describe(name, body);
    return;
  }
  const needs = missing.map((program) => `${program} (${howToGet[program]})`).join(", ");
  if (process.env["TIPHYS_TEST_ALL"] === "1") {
    describe(name, () => {
      it("has the programs it needs", () => {
        throw new Error(`missing: ${needs}`);
      });
    });
  } else {
    describe.skip(`${name} [needs ${needs}]`, body);
  }
}
