import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Server, ServerCredentials, type ServerReadableStream, type sendUnaryData, status } from "@grpc/grpc-js";
import { plugin } from "@tiphys/proto";
import type { PluginConfig } from "../config.js";
import { readPluginConfig } from "../config.js";
import { cleanPattern, goGlob } from "../glob.js";

const exec = promisify(execFile);
type Call = ServerReadableStream<plugin.AppStreamRequest, unknown>;

/** A config management plugin's server as the protocol has it, for tests: unpacks what it is sent and runs the commands. */
export async function startPluginServer(yaml: string, socketFolder: string) {
  const config = readPluginConfig(yaml, "plugin.yaml");
  const name = config.version ? `${config.name}-${config.version}` : config.name;
  const socket = join(socketFolder, `${name}.sock`);
  const server = new Server();
  const { methods } = plugin.ConfigManagementPluginServiceDefinition;
  const streamed =
    (work: (folder: string, metadata: plugin.ManifestRequestMetadata) => Promise<unknown>) =>
    (call: Call, callback: sendUnaryData<unknown>) => {
      const folder = mkdtemp(join(tmpdir(), "tiphys-plugin-server-"));
      receive(call)
        .then(async ({ metadata, bytes }) => {
          await writeFile(join(await folder, ".archive"), bytes);
          await exec("tar", ["-xzf", ".archive"], { cwd: await folder });
          await rm(join(await folder, ".archive"));
          callback(null, await work(await folder, metadata));
        })
        .catch((error: unknown) => callback({ code: status.UNKNOWN, details: String(error) }))
        .finally(async () => rm(await folder, { recursive: true, force: true }));
    };
  const run = async (argv: readonly string[], cwd: string, metadata: plugin.ManifestRequestMetadata) => {
    const env = Object.fromEntries((metadata.env ?? []).map(({ name = "", value = "" }) => [name, value]));
    const { stdout } = await exec(argv[0]!, argv.slice(1), { cwd, env: { PATH: process.env["PATH"] ?? "", ...env } });
    return stdout;
  };
  const definition = Object.fromEntries(
    Object.values(methods).map((method) => [
      method.name,
      {
        path: `/plugin.ConfigManagementPluginService/${method.name}`,
        requestStream: method.requestStream,
        responseStream: false,
        requestSerialize: () => Buffer.alloc(0),
        requestDeserialize: (bytes: Buffer) => method.requestType.decode(bytes),
        // biome-ignore lint/suspicious/noExplicitAny: each method has a message of its own
        responseSerialize: (message: any) => Buffer.from(method.responseType.encode(message).finish()),
        responseDeserialize: () => undefined,
      },
    ]),
  );
  server.addService(definition, {
    CheckPluginConfiguration: (_call: unknown, callback: sendUnaryData<unknown>) =>
      callback(null, {
        isDiscoveryConfigured: config.discover !== undefined,
        provideGitCreds: config.provideGitCreds,
      } satisfies plugin.CheckPluginConfigurationResponse),
    MatchRepository: streamed(async (folder, metadata): Promise<plugin.RepositoryResponse> => {
      const path = join(folder, metadata.appRelPath ?? "");
      return {
        isDiscoveryEnabled: config.discover !== undefined,
        isSupported: await discovers(config, path, run, metadata),
      };
    }),
    GenerateManifest: streamed(async (folder, metadata): Promise<plugin.ManifestResponse> => {
      const path = join(folder, metadata.appRelPath ?? "");
      if (config.init) await run(config.init.argv, path, metadata);
      return {
        manifests: (await run(config.generate.argv, path, metadata)).split(/^---\n/m).filter((part) => part !== ""),
      };
    }),
    GetParametersAnnouncement: streamed(
      async (): Promise<plugin.ParametersAnnouncementResponse> => ({
        parameterAnnouncements: [...config.parameters.static],
      }),
    ),
  });
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  return { name, socket, [Symbol.asyncDispose]: async () => server.forceShutdown() };
}

async function discovers(
  { discover }: PluginConfig,
  folder: string,
  run: (argv: readonly string[], cwd: string, metadata: plugin.ManifestRequestMetadata) => Promise<string>,
  metadata: plugin.ManifestRequestMetadata,
): Promise<boolean> {
  if (!discover) return false;
  if (discover.by === "command") return (await run(discover.command.argv, folder, metadata)).trimEnd() !== "";
  const glob = goGlob(cleanPattern(discover.pattern), { doubleStar: discover.by === "glob" });
  const { stdout } = await exec("find", ["."], { cwd: folder });
  return stdout.split("\n").some((path) => glob?.test(path.slice(2)));
}

async function receive(call: Call): Promise<{ metadata: plugin.ManifestRequestMetadata; bytes: Buffer }> {
  let metadata: plugin.ManifestRequestMetadata | undefined;
  const chunks: Buffer[] = [];
  for await (const message of call as AsyncIterable<plugin.AppStreamRequest>) {
    if (message.metadata) metadata = message.metadata;
    else chunks.push(Buffer.from(message.file?.chunk ?? []));
  }
  const bytes = Buffer.concat(chunks);
  if (!metadata) throw new Error("no metadata came first");
  if (createHash("sha256").update(bytes).digest("hex") !== metadata.checksum || bytes.length !== metadata.size) {
    throw new Error("file checksum validation error");
  }
  return { metadata, bytes };
}
