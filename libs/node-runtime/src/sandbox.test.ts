import { type Command, launch } from "./sandbox.js";

const command: Command = {
  argv: [
    "sh",
    "-c",
    'cat /data/in > /tmp/out; ls "/data/sub/x" /database -o=/data; echo > /dev/termination-log',
    "/data",
  ],
  env: { PATH: "/usr/bin:/data/bin", A: "/data", B: "/dataset" },
  workingDir: "/data/sub",
  mounts: [
    { source: "/tmp/host/data", target: "/data/", readOnly: false },
    { source: "/tmp/host/sub", target: "/data/sub", readOnly: true },
  ],
  hostname: "pod",
  scratch: "/tmp/scratch",
  terminationLog: { source: "/tmp/host/term", target: "/dev/termination-log" },
};
const tools = { bwrap: "/usr/bin/bwrap", node: "/opt/node/bin/node", path: "/usr/bin:/bin" };

describe("launch", () => {
  it("without a sandbox rewrites /tmp and the termination message, and nothing else", () => {
    const { argv, env, cwd } = launch("process", command, tools);
    expect(argv.slice(4)).toEqual([
      "sh",
      "-c",
      'cat /data/in > /tmp/scratch/tmp/out; ls "/data/sub/x" /database -o=/data; echo > /tmp/host/term',
      "/data",
    ]);
    expect(env).toEqual({ TMPDIR: "/tmp/scratch/tmp", PATH: "/usr/bin:/data/bin", A: "/data", B: "/dataset" });
    expect(cwd).toBe("/tmp/scratch");
  });

  it("gives an image its own root, its user and what it may do", () => {
    const identity = { uid: 5, gid: 6, groups: [7], capabilities: [], home: "/" };
    const root = { lower: "/i/a:b", merged: "/c/merged", overlay: { upper: "/c/up", work: "/c/work" } };
    const { argv } = launch(
      "bubblewrap",
      { ...command, root, identity, first: true, readOnlyRoot: true },
      { ...tools, identityTools: "/tools" },
    );
    const text = argv.join(" ");
    expect(text).toContain("lowerdir=/i/a\\:b,upperdir=/c/up,workdir=/c/work /c/merged");
    expect(text).toContain("--bind /c/merged / ");
    expect(text).toContain("--as-pid-1");
    expect(text).toMatch(/--remount-ro \/ --chdir/);
    expect(text).toMatch(/setpriv --reuid 5 --regid 6 --groups 7 .*-- sh -c/);
    expect(text).not.toContain("--ro-bind /usr /usr");
  });

  it("in a sandbox shows programs, mounts and nothing of the home", () => {
    const { argv, env } = launch("bubblewrap", command, tools);
    const text = argv.join(" ");
    expect(text).toContain("--ro-bind /usr /usr");
    expect(text).toContain("--ro-bind /opt/node /opt/node");
    expect(text).toContain("--bind /tmp/host/data /data/ --dir /data --ro-bind /tmp/host/sub /data/sub");
    expect(text).toContain("--chdir /data/sub -- sh -c");
    expect(text).not.toMatch(/bind\S* (\/ |\/home|\/root)/);
    expect(env).toEqual(command.env);
  });

  it("lets no variable of a container steer the programs of the host that start it", () => {
    if (process.getuid?.() !== 0) return;
    const steering = { ...command, env: { ...command.env, LD_PRELOAD: "/data/evil.so" } };
    for (const kind of ["bubblewrap", "unshare"] as const) {
      const { argv, env } = launch(
        kind,
        { ...steering, identity: { uid: 0, gid: 0, groups: [], capabilities: [], home: "/" } },
        { ...tools, identityTools: "/tools" },
      );
      expect(Object.keys(env)).not.toContain("LD_PRELOAD");
      expect(argv.join(" ")).toMatch(
        kind === "unshare" ? /env LD_PRELOAD=\/data\/evil\.so sh -c/ : /--setenv LD_PRELOAD \/data\/evil\.so/,
      );
    }
  });
});
