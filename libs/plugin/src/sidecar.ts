import { messageOf, TiphysError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { plugin } from "@tiphys/proto";
import { type GrpcChannel, grpcChannel } from "@tiphys/rpc";
import type { Archive } from "./archive.js";
import type { ConfigPlugin, PluginSource } from "./config-plugin.js";

/** What one message carries of an archive. Argo CD sends 1 KiB; its plugins take up to 100 MiB. */
const CHUNK_BYTES = 64 * 1024;

/** A plugin that serves Argo CD's protocol on a socket, such as a sidecar with `argocd-cmp-server`. */
export function sidecarPlugin(name: string, socket: string): ConfigPlugin {
  const call = async <T>(what: string, work: (channel: GrpcChannel) => Promise<T>): Promise<T> => {
    // A connection for each call: a sidecar may be replaced by another between two.
    const channel = grpcChannel({ target: `unix:${socket}` });
    try {
      return await work(channel);
    } catch (error) {
      if (error instanceof TiphysError) {
        error.message = `plugin ${name}: ${what}: ${messageOf(error)}`;
      }
      throw error;
    } finally {
      channel.close();
    }
  };
  const client = (channel: GrpcChannel) => channel.client(plugin.ConfigManagementPluginServiceDefinition);
  const options = (signal: AbortSignal | undefined) => ({
    timeout: limits.renderMilliseconds,
    ...(signal ? { signal } : {}),
  });
  return {
    name,
    setup: (signal) =>
      call("its configuration", async (channel) => {
        const { isDiscoveryConfigured = false, provideGitCreds = false } = await client(
          channel,
        ).checkPluginConfiguration({}, options(signal));
        return { discovery: isDiscoveryConfigured, gitCredentials: provideGitCreds };
      }),
    matches: (source, signal) =>
      call("matching the repository", async (channel) => {
        const { isSupported = false, isDiscoveryEnabled = false } = await client(channel).matchRepository(
          await requests(source),
          options(signal),
        );
        return { supported: isSupported, discovery: isDiscoveryEnabled };
      }),
    generate: (source, signal) =>
      call("generating manifests", async (channel) => {
        const { manifests = [] } = await client(channel).generateManifest(await requests(source), options(signal));
        return manifests;
      }),
    parameters: (source, signal) =>
      call("announcing parameters", async (channel) => {
        const { parameterAnnouncements = [] } = await client(channel).getParametersAnnouncement(
          await requests(source),
          options(signal),
        );
        return parameterAnnouncements;
      }),
  };
}

/** The messages that carry a source. The plugin itself decides whether it keeps the files' modes. */
async function requests(source: PluginSource): Promise<AsyncIterable<plugin.AppStreamRequest>> {
  return messages(source, await source.archive({ modes: true }));
}

async function* messages(source: PluginSource, { bytes, checksum }: Archive): AsyncIterable<plugin.AppStreamRequest> {
  const path = source.path === "" ? "." : source.path;
  yield {
    metadata: {
      appName: path.split("/").at(-1) ?? "",
      appRelPath: path,
      checksum,
      size: bytes.length,
      env: source.env.map(({ name, value }) => ({ name, value })),
    },
  };
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    yield { file: { chunk: bytes.subarray(at, at + CHUNK_BYTES) } };
  }
}
