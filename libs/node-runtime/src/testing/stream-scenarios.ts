import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually, programPath } from "@tiphys/testing";
import type { NodeRuntimeDeps } from "../deps.js";
import { get, HTTP_SERVER, startTestNode, type TestCluster, type TestNode } from "./node-scenarios.js";

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Kubectl {
  (args: readonly string[], input?: string | Buffer): Promise<Ran>;
  start(args: readonly string[]): ChildProcess;
}

const sha = (data: Buffer | string): string => createHash("sha256").update(data).digest("hex");
/** What kubectl does with running pods over streams, on whatever control plane `connect` gives. */
export function describeStreams(
  connect: () => Promise<TestCluster & { readonly kubeconfig: string }>,
  protocols: readonly ("websocket" | "spdy")[],
  options: Partial<NodeRuntimeDeps> = {},
): void {
  let cluster: TestCluster & { readonly kubeconfig: string };
  let node: TestNode;
  let dir: string;
  const running = new Set<ChildProcess>();

  beforeAll(async () => {
    cluster = await connect();
    node = await startTestNode(cluster, options);
    dir = mkdtempSync(join(tmpdir(), "tiphys-streams-"));
    await node.createPod("talk", {
      restartPolicy: "Never",
      containers: [
        {
          name: "main",
          image: "busybox",
          workingDir: "/work",
          env: [{ name: "GREETING", value: "hello" }],
          command: ["sh", "-c", "exec sleep 1000"],
          volumeMounts: [{ name: "work", mountPath: "/work" }],
        },
        {
          name: "web",
          image: "node:20",
          ports: [{ containerPort: 8080 }],
          command: ["node", "-e", HTTP_SERVER],
        },
      ],
      volumes: [{ name: "work", emptyDir: {} }],
    });
    await node.waitFor("talk", (pod) =>
      pod["status"]?.containerStatuses?.every((one: { state: { running?: object } }) => one.state.running),
    );
  });
  afterAll(async () => {
    for (const child of running) child.kill("SIGKILL");
    await node?.close();
    await cluster?.close();
    if (dir) rmSync(dir, { recursive: true, force: true });
  });

  describe.each(protocols)("over %s", (protocol) => {
    const start = (args: readonly string[]): ChildProcess => {
      const child = spawn(
        programPath("kubectl")!,
        ["--kubeconfig", cluster.kubeconfig, "-n", node.namespace, ...args],
        {
          env: {
            PATH: process.env["PATH"],
            HOME: dir,
            ...(protocol === "spdy"
              ? { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false", KUBECTL_PORT_FORWARD_WEBSOCKETS: "false" }
              : {}),
          },
          stdio: ["pipe", "pipe", "pipe"],
        },
      );
      running.add(child);
      child.once("close", () => running.delete(child));
      return child;
    };
    const kubectl: Kubectl = Object.assign(
      (args: readonly string[], input?: string | Buffer) =>
        new Promise<Ran>((resolve) => {
          const child = start(args);
          const out: Buffer[] = [];
          const err: Buffer[] = [];
          child.stdout?.on("data", (chunk) => out.push(chunk));
          child.stderr?.on("data", (chunk) => err.push(chunk));
          child.stdin?.on("error", () => {});
          if (input === undefined) child.stdin?.end();
          else child.stdin?.end(input);
          child.once("close", (code) =>
            resolve({ code: code ?? -1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
          );
        }),
      { start },
    );
    const main = ["-c", "main", "talk", "--"];

    it("runs a command in the container, keeps stdout and stderr apart and gives its exit code", async () => {
      const ran = await kubectl([
        "exec",
        ...main,
        "sh",
        "-c",
        'echo "$GREETING $PWD $HOSTNAME"; echo oops >&2; exit 7',
      ]);
      expect(ran).toEqual({
        code: 7,
        stdout: "hello /work talk\n",
        stderr: "oops\ncommand terminated with exit code 7\n",
      });
      expect(await kubectl(["exec", ...main, "true"])).toEqual({ code: 0, stdout: "", stderr: "" });
      const killed = await kubectl(["exec", ...main, "sh", "-c", "kill -9 $$"]);
      expect(killed.code).toBe(137);
    });

    // One sandbox is enough for what does not depend on it.
    const anywhere = (name: string, test: () => Promise<void>) => {
      if (!options.sandbox) it(name, test);
    };
    // Once is enough for what does not depend on the framing.
    const once = (name: string, test: () => Promise<void>) => {
      if (protocol === protocols[0]) it(name, test);
    };
    once("shares the container's processes and files", async () => {
      await kubectl(["exec", ...main, "sh", "-c", "echo one > file"]);
      const ran = await kubectl(["exec", ...main, "sh", "-c", "cat /work/file; ls /proc/1/root >/dev/null && echo in"]);
      expect(ran.stdout).toBe("one\nin\n");
    });

    once("says that a program or a container is not there", async () => {
      const program = await kubectl(["exec", ...main, "no-such-program"]);
      expect(program.code).toBe(1);
      expect(program.stderr).toContain('exec: "no-such-program": executable file not found in $PATH');
      const container = await kubectl(["exec", "-c", "nope", "talk", "--", "true"]);
      expect([container.code, container.stderr]).toEqual([
        1,
        expect.stringMatching(/container nope is not valid for pod talk|container nope not found in pod talk/),
      ]);
    });

    anywhere("pipes ten megabytes in and out unharmed", async () => {
      const data = Buffer.alloc(10 * 1024 * 1024);
      for (let i = 0; i < data.length; i += 4) data.writeUInt32LE((i * 2654435761) >>> 0, i);
      const file = join(dir, "large");
      writeFileSync(file, data);
      const sum = await kubectl(["exec", "-i", ...main, "sh", "-c", "sha256sum | cut -d' ' -f1"], data);
      expect(sum.stdout.trim()).toBe(sha(data));
      const to = await kubectl(["cp", "-c", "main", file, "talk:/work/large"]);
      expect([to.code, to.stderr]).toEqual([0, ""]);
      const back = await kubectl(["cp", "-c", "main", "talk:/work/large", `${file}.back`]);
      expect(back.code).toBe(0);
      expect(sha(readFileSync(`${file}.back`))).toBe(sha(data));
    });

    it("ends a command whose input is closed, and one whose client is gone", async () => {
      expect((await kubectl(["exec", "-i", ...main, "cat"], "text")).stdout).toBe("text");
      const child = kubectl.start(["exec", ...main, "sh", "-c", "echo begun; exec sleep 4321"]);
      await new Promise((resolve) => child.stdout?.once("data", resolve));
      const sleeps = async () =>
        (await kubectl(["exec", ...main, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"])).stdout;
      expect(await sleeps()).toContain("sleep 4321");
      child.kill("SIGKILL");
      await eventually(async () => !(await sleeps()).includes("sleep 4321"), { limit: 10_000 });
    });

    once("leaves what a command started in the background running, without waiting for it", async () => {
      const ran = await kubectl(["exec", ...main, "sh", "-c", "sleep 5432 & echo started"]);
      expect([ran.code, ran.stdout]).toEqual([0, "started\n"]);
      const found = await kubectl([
        "exec",
        ...main,
        "sh",
        "-c",
        "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; pkill -f 'sleep 543[2]'",
      ]);
      expect(found.stdout).toContain("sleep 5432");
    });

    it("gives a terminal of the client's size, and tells of its changes", async () => {
      // kubectl asks for a terminal only when it has one itself, and is told of changes only once it runs.
      const script = [
        // The size is a message of its own, which may come after the command has begun.
        'until [ "$(stty size)" != "0 0" ]; do sleep 0.05; done; stty size',
        "test -t 0 && test -t 1 && echo terminal",
        "until stty size | grep -q 120; do sleep 0.05; done",
        "echo changed; exit 3",
      ];
      const words = ["exec", "-it", ...main, "sh", "-c", script.join("; ")];
      const quoted = [programPath("kubectl")!, "--kubeconfig", cluster.kubeconfig, "-n", node.namespace, ...words]
        .map((word) => `'${word.replaceAll("'", "'\\''")}'`)
        .join(" ");
      const off = protocol === "spdy" ? "export KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false; " : "";
      const line = `${off}stty rows 31 cols 97; (for i in 1 2 3 4 5 6 7 8 9; do sleep 0.5; stty rows 4$i cols 120 < /dev/tty; done) & ${quoted}`;
      const child = spawn("script", ["-q", "-e", "-c", line, "/dev/null"], {
        env: { PATH: process.env["PATH"], HOME: dir, TERM: "xterm", SHELL: "/bin/sh" },
        stdio: ["pipe", "pipe", "inherit"],
      });
      running.add(child);
      const chunks: Buffer[] = [];
      child.stdout.on("data", (chunk) => chunks.push(chunk));
      const code = await new Promise((resolve) => child.once("close", resolve));
      running.delete(child);
      const text = Buffer.concat(chunks).toString().replaceAll("\r", "");
      expect(text).toMatch(/^(31 97|4\d 120)\nterminal\nchanged\n/);
      expect(code).toBe(3);
    });

    it("attaches to a container: its output from then on, its input until the first client leaves", async () => {
      const name = `cat-${protocol}`;
      await node.createPod(name, {
        restartPolicy: "Never",
        containers: [
          {
            name: "main",
            image: "busybox",
            stdin: true,
            stdinOnce: true,
            command: ["sh", "-c", "cat; echo over; exit 4"],
          },
        ],
      });
      await node.waitFor(name, (pod) => pod["status"]?.phase === "Running");
      const ran = await kubectl(["attach", "-i", name], "one\ntwo\n");
      expect(ran.stdout).toBe("one\ntwo\nover\n");
      const pod = await node.waitFor(name, (one) => one["status"]?.phase === "Failed");
      expect(pod["status"].containerStatuses[0].state.terminated.exitCode).toBe(4);
      expect((await kubectl(["logs", name])).stdout).toBe("one\ntwo\nover\n");
    });

    it("attaches to a container and keeps its stdout and stderr apart, which the log shows burst by burst", async () => {
      const name = `apart-${protocol}`;
      const command = ["sh", "-c", "read go; set -x; echo one; sleep 0.1; echo two; exit 5"];
      await node.createPod(name, {
        restartPolicy: "Never",
        containers: [{ name: "main", image: "busybox", stdin: true, stdinOnce: true, command }],
      });
      await node.waitFor(name, (pod) => pod["status"]?.phase === "Running");
      const ran = await kubectl(["attach", "-i", name], "go\n");
      expect(ran.stdout).toBe("one\ntwo\n");
      expect(ran.stderr).toContain("+ echo one\n+ sleep 0.1\n+ echo two\n+ exit 5\n");
      await node.waitFor(name, (one) => one["status"]?.phase === "Failed");
      // What goes to both outputs at one time comes in any order, as from a kubelet.
      const lines = (await kubectl(["logs", name])).stdout.trimEnd().split("\n");
      expect([lines.slice(0, 3).sort(), lines.slice(3).sort()]).toEqual([
        ["+ echo one", "+ sleep 0.1", "one"],
        ["+ echo two", "+ exit 5", "two"],
      ]);
    });

    once("attaches a terminal to a container that has one", async () => {
      await node.createPod("shell", {
        restartPolicy: "Never",
        containers: [{ name: "main", image: "busybox", stdin: true, tty: true, command: ["sh"] }],
      });
      await node.waitFor("shell", (pod) => pod["status"]?.phase === "Running");
      const words = [
        programPath("kubectl")!,
        "--kubeconfig",
        cluster.kubeconfig,
        "-n",
        node.namespace,
        "attach",
        "-it",
        "shell",
      ];
      const child = spawn("script", ["-q", "-e", "-c", `stty rows 25 cols 91; ${words.join(" ")}`, "/dev/null"], {
        env: { PATH: process.env["PATH"], HOME: dir, TERM: "xterm", SHELL: "/bin/sh" },
        stdio: ["pipe", "pipe", "inherit"],
      });
      running.add(child);
      let text = "";
      child.stdout.on("data", (chunk) => {
        text += String(chunk);
      });
      await eventually(() => text.includes("If you don't see a command prompt") || text.includes("# "), {
        limit: 10_000,
      });
      child.stdin.write("until stty size | grep -q '25 91'; do sleep 0.1; done; test -t 0 && echo a-ter''minal\n");
      await eventually(() => text.includes("a-terminal"), { limit: 10_000, describe: () => text });
      child.stdin.write("exit 6\n");
      await new Promise((resolve) => child.once("close", resolve));
      running.delete(child);
      const pod = await node.waitFor("shell", (one) => one["status"]?.phase === "Failed");
      expect(text).not.toContain("job control turned off");
      expect(pod["status"].containerStatuses[0].state.terminated.exitCode).toBe(6);
    });

    if (!options.sandbox)
      once("follows a log and shows parts of it", async () => {
        await node.createPod("lines", {
          restartPolicy: "Never",
          containers: [
            {
              name: "main",
              image: "busybox",
              command: ["sh", "-c", "for i in 1 2 3 4 5; do echo line $i; done; sleep 1; echo last"],
            },
          ],
        });
        await node.waitFor("lines", (pod) => pod["status"]?.phase === "Running");
        expect((await kubectl(["logs", "-f", "lines"])).stdout).toBe("line 1\nline 2\nline 3\nline 4\nline 5\nlast\n");
        const log = async (...args: string[]) => (await kubectl(["logs", "lines", ...args])).stdout;
        expect(await log("--tail=2")).toBe("line 5\nlast\n");
        expect(await log("--limit-bytes=9")).toBe("line 1\nli");
        expect(await log("--since-time=2040-01-01T00:00:00Z")).toBe("");
        expect(await log("--since=1h", "--tail=1")).toBe("last\n");
        const stamped = (await log("--timestamps")).trim().split("\n");
        expect(stamped[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line 1$/);
        const time = stamped.at(-1)!.split(" ")[0]!.replace(/\.\d+/, "");
        expect(await log(`--since-time=${time}`)).toMatch(/last\n$/);
        expect(
          (await kubectl(["logs", "lines", "--limit-bytes=0"])).stderr +
            (await kubectl(["logs", "lines", "-c", "no"])).stderr,
        ).toContain("container no is not valid for pod lines");
      });

    anywhere(
      "forwards a port to many connections, kept ones too, and tells of one that nobody listens on",
      async () => {
        const child = kubectl.start(["port-forward", "pod/talk", ":8080", ":9"]);
        let text = "";
        child.stdout?.on("data", (chunk) => {
          text += String(chunk);
        });
        let errors = "";
        child.stderr?.on("data", (chunk) => {
          errors += String(chunk);
        });
        const local = await eventually(() => /127\.0\.0\.1:(\d+) -> 8080/.exec(text)?.[1], { limit: 10_000 });
        const url = `http://127.0.0.1:${local}`;
        const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => get(`${url}/${i}`)));
        expect(answers.map(({ body }) => body).sort()).toEqual(
          Array.from({ length: 20 }, (_, i) => `talk /${i}`).sort(),
        );
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        for (const path of ["/a", "/b", "/c"]) {
          const body = await new Promise<string>((resolve, reject) => {
            request(`${url}${path}`, { agent }, (response) => {
              let all = "";
              response.on("data", (chunk) => {
                all += String(chunk);
              });
              response.on("end", () => resolve(all));
            })
              .on("error", reject)
              .end();
          });
          expect(body).toBe(`talk ${path}`);
        }
        agent.destroy();
        const silent = await eventually(() => /127\.0\.0\.1:(\d+) -> 9\b/.exec(text)?.[1]);
        await expect(get(`http://127.0.0.1:${silent}/`)).rejects.toThrow();
        await eventually(() => errors.includes("error forwarding port 9 to pod"), { describe: () => errors });
        child.kill("SIGTERM");
        await new Promise((resolve) => child.once("close", resolve));
      },
    );
  });
}
