import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSpawner, type Spawner } from "@tiphys/child-process";
import { findSandbox, type Sandbox } from "@tiphys/sandbox";
import { silentLogger as log } from "@tiphys/telemetry";
import { describeWith, eventually } from "@tiphys/testing";
import {
  type ConfigPlugin,
  commandPlugin,
  createPlugins,
  type PluginFile,
  type PluginSource,
  packFiles,
  pluginVariables,
  readPluginConfig,
} from "./index.js";
import { startPluginServer } from "./testing/plugin-server.js";

const file = (path: string, text: string, kind: PluginFile["kind"] = "file"): PluginFile => ({
  path,
  kind,
  data: async () => Buffer.from(text),
});

const files = [
  file("top.txt", "top"),
  file("app/env.yaml", "name: web\n"),
  file("app/sub/one.yaml", "a: 1\n"),
  file("app/run.sh", "#!/bin/sh\necho ran\n", "executable"),
  file("app/link.txt", "../top.txt", "symlink"),
];

const build = {
  appName: "web",
  namespace: "shop",
  project: "default",
  revision: "0123456789abcdef0123456789abcdef01234567",
  repoUrl: "https://git.example/repo.git",
  path: "app",
  targetRevision: "main",
};

function source(settings: Parameters<typeof pluginVariables>[1] = {}, of: readonly PluginFile[] = files): PluginSource {
  return {
    path: "app",
    env: pluginVariables(build, settings, { kubeVersion: "v1.36.3+k1", apiVersions: ["v1", "apps/v1"] }),
    archive: ({ modes }) => packFiles(of, { modes }),
  };
}

const plugin = (name: string, spec: string) =>
  `apiVersion: argoproj.io/v1alpha1\nkind: ConfigManagementPlugin\nmetadata:\n  name: ${name}\nspec:\n${spec
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n")}\n`;

const ECHO = `init:
  command: [sh, -c]
  args: ["echo init > made.txt"]
generate:
  command: [sh, -c]
  args:
    - |
      echo '{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "'"$ARGOCD_APP_NAME"'"}, "data": {'
      echo '"namespace": "'"$ARGOCD_APP_NAMESPACE"'", "foo": "'"$ARGOCD_ENV_FOO"'", "revision": "'"$ARGOCD_APP_REVISION_SHORT"'",'
      echo '"kube": "'"$KUBE_VERSION $KUBE_API_VERSIONS"'", "param": "'"$PARAM_IMAGE_TAG $PARAM_LIST_1 $PARAM_MAP_A_B"'",'
      echo '"made": "'"$(cat made.txt) $(cat link.txt) $(ls | tr '\\n' ' ')"'"}}'`;
const SETTINGS = {
  env: [{ name: "FOO", value: ["at-${", "ARGOCD_APP_REVISION}-$$x"].join("") }],
  parameters: [
    { name: "image.tag", string: "v1" },
    { name: "list", array: ["a", "b"] },
    { name: "map", map: { "a.b": "c" } },
  ],
};
const WANTED = {
  namespace: "shop",
  foo: `at-${build.revision}-$x`,
  revision: "0123456",
  kube: "1.36.3 v1,apps/v1",
  param: "v1 b c",
  made: "init top env.yaml link.txt made.txt run.sh sub ",
};

/** The server of the original, where it was built by hand. */
const stock = process.env["TIPHYS_ARGOCD_CMP_SERVER"];

async function startStock(yaml: string, socketFolder: string) {
  const work = await mkdtemp(join(tmpdir(), "tiphys-cmp-"));
  await writeFile(join(work, "plugin.yaml"), yaml);
  const child = spawn(stock!, ["--config-dir-path", work], {
    env: { PATH: process.env["PATH"], ARGOCD_PLUGINSOCKFILEPATH: socketFolder, ARGOCD_CMP_WORKDIR: work, HOME: work },
    stdio: "ignore",
  });
  const { name, version } = readPluginConfig(yaml, "plugin.yaml");
  const full = version ? `${name}-${version}` : name;
  const plugins = createPlugins({ socketFolder, commands: () => [] });
  await eventually(async () => (await plugins.list()).some((each) => each.name === full));
  return {
    name: full,
    socket: join(socketFolder, `${full}.sock`),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await new Promise((resolve) => child.once("close", resolve));
      await rm(work, { recursive: true, force: true });
    },
  };
}

const servers = [
  { who: "a server of the protocol", start: startPluginServer },
  ...(stock ? [{ who: "the stock argocd-cmp-server", start: startStock }] : []),
];

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiphys-plugins-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe.each(servers)("plugins beside us, with $who", ({ start }) => {
  const plugins = () => createPlugins({ socketFolder: folder, commands: () => [] });

  it("generate manifests from the files and the application's variables", async () => {
    await using _server = await start(plugin("echo", `version: v1.0\n${ECHO}`), folder);
    const from = source(SETTINGS);
    const found = await plugins().named("echo-v1.0", from);
    const [manifest = ""] = await found.generate(from);
    expect(JSON.parse(manifest)).toMatchObject({ metadata: { name: "web" }, data: WANTED });
  });

  it("are found by their discovery, in the order of their sockets", async () => {
    await using _a = await start(plugin("a-other", `discover:\n  fileName: "*.cue"\n${ECHO}`), folder);
    await using _b = await start(plugin("b-glob", `discover:\n  find:\n    glob: "**/one.yaml"\n${ECHO}`), folder);
    await using _c = await start(plugin("c-name", `discover:\n  fileName: "./env.yaml"\n${ECHO}`), folder);
    await using _d = await start(plugin("d-none", ECHO), folder);
    expect((await plugins().discover(source(), fail))?.name).toBe("b-glob");
    expect(await plugins().discover(source({}, [file("app/x", "")]), fail)).toBeUndefined();
    const command = `discover:\n  find:\n    command: [sh, -c, "find . -name one.yaml"]\n${ECHO}`;
    await using _e = await start(plugin("a-command", command), folder);
    expect((await plugins().discover(source(), fail))?.name).toBe("a-command");
    await expect(plugins().named("a-other", source())).rejects.toThrow(
      'could not find cmp-server plugin with name "a-other" supporting the given repository: its discovery finds nothing there',
    );
    expect((await plugins().named("d-none", source())).name).toBe("d-none");
  });

  it("say why a command failed", async () => {
    await using _server = await start(
      plugin("bad", 'generate:\n  command: [sh, -c, "echo no such chart >&2; exit 3"]'),
      folder,
    );
    const bad = await plugins().named("bad", source());
    await expect(bad.generate(source())).rejects.toThrow(/^plugin bad: generating manifests: [\s\S]*no such chart/);
  });

  it("announce their parameters", async () => {
    const parameters =
      "parameters:\n  static:\n    - name: size\n      title: How large\n      required: true\n      string: small\n    - name: labels\n      collectionType: map\n      map:\n        a: b\n";
    await using _server = await start(plugin("params", parameters + ECHO), folder);
    const announced = await (await plugins().named("params", source())).parameters(source());
    expect(announced).toMatchObject([
      { name: "size", title: "How large", required: true, string: "small" },
      { name: "labels", collectionType: "map", map: { a: "b" } },
    ]);
  });

  it("take archives of many parts", async () => {
    const random = Buffer.from(Array.from({ length: 500_000 }, (_, i) => (i * 7919 + (i >> 3) * 104_729) % 251));
    const large: PluginFile = { path: "app/large", kind: "file", data: async () => random };
    await using _server = await start(plugin("size", 'generate:\n  command: [sh, -c, "wc -c < large"]'), folder);
    const [text = ""] = await (await plugins().named("size", source({}, [large]))).generate(source({}, [large]));
    expect(Number(text)).toBe(500_000);
  });
});

const fail = (name: string, error: unknown) => {
  throw new Error(`plugin ${name} failed`, { cause: error });
};

describe("plugins that cannot be asked", () => {
  it("are named where they are asked for, and passed over in discovery", async () => {
    await using server = await startPluginServer(plugin("gone", ECHO), folder);
    const { socket } = server;
    await server[Symbol.asyncDispose]();
    await rm(socket, { force: true });
    const { createServer } = await import("node:net");
    const silent = createServer((connection) => connection.destroy());
    await new Promise<void>((resolve) => silent.listen(socket, resolve));
    try {
      const plugins = createPlugins({ socketFolder: folder, commands: () => [] });
      const failed: string[] = [];
      expect(await plugins.discover(source(), (name) => failed.push(name))).toBeUndefined();
      expect(failed).toEqual(["gone"]);
      await expect(plugins.named("gone", source())).rejects.toThrow(
        /with name "gone" .*: plugin gone: its configuration/,
      );
    } finally {
      silent.close();
    }
  });

  it.each(["missing", "../etc", "a/b"])("%s is refused by name", async (name) => {
    const plugins = createPlugins({ socketFolder: join(folder, "none"), commands: () => [] });
    await expect(plugins.named(name, source())).rejects.toThrow(`could not find cmp-server plugin with name "${name}"`);
  });
});

describe("the archive", () => {
  it("leaves out what the patterns match, folders with all that is in them", async () => {
    const packed = await packFiles(files, { exclude: ["app/sub", "*.txt", "app/r?n.[a-s]*"] });
    await mkdir(join(folder, "out"));
    await writeFile(join(folder, "a.tgz"), packed.bytes);
    const { execFileSync } = await import("node:child_process");
    expect(execFileSync("tar", ["-tzf", join(folder, "a.tgz")]).toString()).toBe("app/\napp/env.yaml\napp/link.txt\n");
  });

  it.each([
    { link: "/etc/passwd", path: "app/l" },
    { link: "../../x", path: "app/l" },
    { link: "sub/../../..", path: "app/l" },
  ])("has no link to $link", async ({ link, path }) => {
    await expect(packFiles([file(path, link, "symlink")])).rejects.toThrow("the symbolic link app/l leads out");
  });

  it("is refused when nothing is left, and for a malformed pattern", async () => {
    await expect(packFiles(files, { exclude: ["*", "app"] })).rejects.toThrow("no file is left");
    await expect(packFiles(files, { exclude: ["[a"] })).rejects.toThrow('the pattern "[a" is malformed');
  });
});

describe("plugin.yaml", () => {
  it.each([
    { yaml: "kind: Other", problem: "plugin.yaml: kind: should be ConfigManagementPlugin, found Other" },
    { yaml: plugin("''", ECHO), problem: "metadata.name: should be non-empty" },
    { yaml: plugin("a", "version: v1"), problem: "spec.generate.command: should be non-empty" },
    { yaml: plugin("a", "generate:\n  command: sh"), problem: "spec.generate.command: is not a list of texts" },
  ])("is refused: $problem", ({ yaml, problem }) => {
    expect(() => readPluginConfig(yaml, "plugin.yaml")).toThrow(problem);
  });
});

describeWith(["bwrap"], "commands of ours", () => {
  describe.each(["bubblewrap", "unshare"] as const)("under %s", (kind) => {
    let spawner: Spawner;
    let sandbox: Sandbox;
    beforeAll(async () => {
      spawner = createSpawner({ log });
      const found = await findSandbox({ spawner, searchPath: "/usr/sbin:/usr/bin:/sbin:/bin", kinds: [kind] });
      if (!found) throw new Error(`no ${kind} on this host: apt-get install bubblewrap util-linux`);
      sandbox = found;
    });
    afterAll(() => spawner.stop());
    const made = (yaml: string): ConfigPlugin =>
      commandPlugin(readPluginConfig(yaml, "plugin.yaml"), {
        sandbox,
        paths: async () => files.map(({ path }) => path),
      });
    const generate = async (script: string, spec = "") =>
      (
        await made(plugin("mine", `${spec}generate:\n  command: [sh, -c, ${JSON.stringify(script)}]`)).generate(
          source(SETTINGS),
        )
      )[0];

    it("generate manifests from the files and the application's variables", async () => {
      const [manifest = ""] = await made(plugin("echo", ECHO)).generate(source(SETTINGS));
      expect(JSON.parse(manifest)).toMatchObject({ metadata: { name: "web" }, data: WANTED });
    });

    it("see no network, no files of the host, no variables of ours and no other processes", async () => {
      process.env["TIPHYS_TEST_SECRET"] = "leaked";
      try {
        const seen = await generate(
          'ls /sys/class/net 2>/dev/null; cat /proc/net/dev | grep -c : ; ls -A / | tr "\\n" " "; env; ls /proc | grep -c "^[0-9]"; id -u; cat /etc/shadow 2>&1 | head -1; touch /usr/x /etc/x /x 2>&1 | grep -c -i read-only',
        );
        expect(seen).not.toContain("leaked");
        expect(seen).not.toMatch(/\b(home|srv|opt|var|mnt)\b/);
        expect(seen).toMatch(/^1$/m);
        expect(seen).toContain("No such file");
      } finally {
        delete process.env["TIPHYS_TEST_SECRET"];
      }
    });

    it("may use no file as a program unless the plugin keeps modes", async () => {
      await expect(generate("./run.sh")).rejects.toThrow(/plugin mine: the generate command failed with exit code 126/);
      expect(await generate("./run.sh", "preserveFileMode: true\n")).toBe("ran\n");
    });

    it("name the step that failed, and its last words", async () => {
      await expect(generate("true", "init:\n  command: [sh, -c, 'echo bad init >&2; exit 7']\n")).rejects.toThrow(
        "plugin mine: the init command failed with exit code 7: bad init",
      );
    });

    it("are found by patterns without running anything, and by their find command", async () => {
      const never = commandPlugin(
        readPluginConfig(plugin("a", `discover:\n  find:\n    glob: "**/one.yaml"\n${ECHO}`), "x"),
        {
          sandbox: undefined,
          paths: async () => files.map(({ path }) => path),
        },
      );
      expect(await never.matches(source())).toEqual({ supported: true, discovery: true });
      await expect(never.generate(source())).rejects.toThrow("this host has no sandbox");
      const find = (name: string) =>
        made(plugin("b", `discover:\n  find:\n    command: [find, ., -name, ${name}]\n${ECHO}`));
      expect((await find("one.yaml").matches(source())).supported).toBe(true);
      expect((await find("two.yaml").matches(source())).supported).toBe(false);
    });
  });
});
