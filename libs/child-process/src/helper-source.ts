/**
 * The spawner's helper as text, run with `node -e`: production is one bundled file, so there is no second file to start.
 * It forks on our behalf (forking costs with the parent's memory) and kills what must not outlive us when we are gone.
 */
export const helperSource = `
"use strict";
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const children = new Map();
const send = (message, done) => { if (process.connected) process.send(message, done || (() => {})); };
const killGroup = (child, signal) => { try { process.kill(-child.pid, signal); } catch { try { child.kill(signal); } catch {} } };

function target(stdio, opened) {
  if (typeof stdio !== "object") return stdio;
  const fd = fs.openSync(stdio.file, "a", 0o600);
  opened.push(fd);
  return fd;
}

function relay(id, fd, stream) {
  stream.on("data", (data) => send({ t: "data", id, fd, data }));
  stream.on("error", () => {});
  stream.on("close", () => send({ t: "eof", id, fd }));
}

function start({ id, command, args, env, cwd, stdin, stdout, stderr, survives, uid, gid }) {
  const opened = [];
  let child;
  try {
    const out = target(stdout, opened);
    child = spawn(command, args, {
      env, cwd, uid, gid, detached: true,
      stdio: [stdin, out, stderr === "stdout" ? (out === "pipe" ? 1 : out) : target(stderr, opened)],
    });
  } catch (error) {
    return send({ t: "failed", id, message: error.message, code: error.code });
  } finally {
    for (const fd of opened) fs.closeSync(fd);
  }
  let spawned = false;
  child.on("error", (error) => { if (!spawned) { children.delete(id); send({ t: "failed", id, message: error.message, code: error.code }); } });
  child.on("spawn", () => { spawned = true; send({ t: "spawned", id, pid: child.pid }); });
  child.on("exit", (code, signal) => {
    // What the process left behind in its group goes with it, unless it was started to live on its own.
    if (!survives) killGroup(child, "SIGKILL");
    children.delete(id);
    send({ t: "exit", id, code, signal });
  });
  children.set(id, { child, survives });
  if (child.stdin) child.stdin.on("error", () => {});
  if (child.stdout) relay(id, 1, child.stdout);
  if (child.stderr) relay(id, 2, child.stderr);
}

process.on("message", (message) => {
  if (message.t === "spawn") return start(message);
  const entry = children.get(message.id);
  if (!entry) return;
  const { child } = entry;
  if (message.t === "kill") message.scope === "group" ? killGroup(child, message.signal) : child.kill(message.signal);
  else if (message.t === "write") child.stdin && child.stdin.write(message.data, () => send({ t: "written", id: message.id }));
  else if (message.t === "end") child.stdin && child.stdin.end();
  else if (message.t === "flow") { const stream = message.fd === 1 ? child.stdout : child.stderr; if (stream) message.on ? stream.resume() : stream.pause(); }
});
process.on("disconnect", () => {
  for (const { child, survives } of children.values()) if (!survives) killGroup(child, "SIGKILL");
  process.exit(0);
});
// A terminal's Ctrl-C reaches the whole foreground group; the service decides what ends, and then disconnects.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
`;
