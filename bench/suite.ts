import { spawn } from "node:child_process";

/** `npm start` as a process. */
export interface Suite {
  readonly pid: number;
  /** Seconds from process start until its output has `text`; rejects when it ends before. */
  says(text: string): Promise<number>;
  stop(): Promise<void>;
}

export async function startSuite(options: readonly string[]): Promise<Suite> {
  const start = performance.now();
  const child = spawn(process.execPath, ["tools/start.mjs", ...options], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  let output = "";
  const waiting = new Set<() => void>();
  child.stdout.on("data", (chunk) => {
    output += chunk;
    for (const look of waiting) look();
  });
  return {
    pid: child.pid ?? 0,
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!output.includes(text)) return;
          waiting.delete(look);
          resolve((performance.now() - start) / 1000);
        };
        waiting.add(look);
        look();
        void ended.then((code) => reject(new Error(`the suite ended with ${code} before "${text}": ${output}`)));
      }),
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
