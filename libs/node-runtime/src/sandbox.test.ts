import { type Command, launch } from "./sandbox.js";

const command: Command = {
  argv: ["sh", "-c", 'cat /data/in > /tmp/out; ls "/data/sub/x" /database -o=/data', "/data"],
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
const tools = { bwrap: "/usr/bin/bwrap", node: "/opt/node/bin/node" };

describe("launch", () => {
  it("without a sandbox rewrites whole mount paths, once", () => {
    const { argv, env } = launch("process", command, tools);
    expect(argv.slice(4)).toEqual([
      "sh",
      "-c",
      'cat /tmp/host/data/in > /tmp/scratch/tmp/out; ls "/tmp/host/sub/x" /database -o=/tmp/host/data',
      "/tmp/host/data",
    ]);
    expect(env).toEqual({
      TMPDIR: "/tmp/scratch/tmp",
      PATH: "/usr/bin:/tmp/host/data/bin",
      A: "/tmp/host/data",
      B: "/dataset",
    });
  });

  it("in a sandbox shows programs, mounts and nothing of the home", () => {
    const { argv, env } = launch("bubblewrap", command, tools);
    const text = argv.join(" ");
    expect(text).toContain("--ro-bind /usr /usr");
    expect(text).toContain("--ro-bind /opt/node /opt/node");
    expect(text).toContain("--bind /tmp/host/data /data/ --ro-bind /tmp/host/sub /data/sub");
    expect(text).toContain("--chdir /data/sub -- sh -c");
    expect(text).not.toMatch(/bind\S* (\/ |\/home|\/root)/);
    expect(env).toEqual(command.env);
  });
});
