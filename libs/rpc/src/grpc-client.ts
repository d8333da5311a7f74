import {
  type ClientReadableStream,
  type ClientWritableStream,
  credentials,
  Client as GrpcClient,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { CanceledError, UnimplementedError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type { Client, ClientCallOptions, MethodDefinition, ServiceDefinition } from "./service.js";
import { fromGrpcError } from "./status.js";

export interface GrpcChannelOptions {
  /** `host:port`, or `unix:` and the path of a socket. */
  readonly target: string;
  /** PEM of the CA that signed the server; absent: plain text, for loopback only. */
  readonly ca?: string;
  /** Client certificate for mTLS. */
  readonly cert?: string;
  readonly key?: string;
  /** The bearer token of each call. */
  readonly token?: () => Promise<string>;
}

/** A connection to one server, shared by the clients made from it. */
export interface GrpcChannel {
  client<S extends ServiceDefinition>(definition: S): Client<S>;
  close(): void;
}

/** TLS knows no address as a server's name; a loopback server is asked, and checked, as localhost. */
const LOOPBACK = /^(127\.0\.0\.1|\[::1\]):\d+$/;

export function grpcChannel(options: GrpcChannelOptions): GrpcChannel {
  const grpc = new GrpcClient(
    options.target,
    options.ca
      ? credentials.createSsl(
          Buffer.from(options.ca),
          options.key ? Buffer.from(options.key) : null,
          options.cert ? Buffer.from(options.cert) : null,
        )
      : credentials.createInsecure(),
    {
      "grpc.max_receive_message_length": limits.grpcMessageBytes,
      "grpc.max_send_message_length": limits.grpcMessageBytes,
      ...(options.ca && LOOPBACK.test(options.target) ? { "grpc.ssl_target_name_override": "localhost" } : {}),
    },
  );
  const metadataOf = async (call: ClientCallOptions): Promise<Metadata> => {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(call.metadata ?? {})) metadata.set(name, value);
    if (options.token) metadata.set("authorization", `Bearer ${await options.token()}`);
    return metadata;
  };
  return {
    client(definition) {
      const client: Record<string, unknown> = {};
      for (const [name, method] of Object.entries(definition.methods)) {
        const path = `/${definition.fullName}/${method.name}`;
        client[name] = method.requestStream
          ? sending(grpc, path, method, metadataOf)
          : method.responseStream
            ? streaming(grpc, path, method, metadataOf)
            : unary(grpc, path, method, metadataOf);
      }
      return client as never;
    },
    close: () => grpc.close(),
  };
}

type MetadataOf = (call: ClientCallOptions) => Promise<Metadata>;

const serializer = (type: MethodDefinition["requestType"]) => (message: unknown) =>
  Buffer.from(type.encode(message).finish());

function unary(grpc: GrpcClient, path: string, method: MethodDefinition, metadataOf: MetadataOf) {
  return async (request: unknown, options: ClientCallOptions = {}) => {
    const metadata = await metadataOf(options);
    return await new Promise<unknown>((resolve, reject) => {
      if (options.signal?.aborted) return reject(new CanceledError(`${path} was canceled by the caller`));
      const call = grpc.makeUnaryRequest(
        path,
        serializer(method.requestType),
        (bytes: Buffer) => method.responseType.decode(bytes),
        request,
        metadata,
        // Real time: a deadline of gRPC is a time of the machine.
        { deadline: Date.now() + (options.timeout ?? 60_000) },
        (error: ServiceError | null, response: unknown) => {
          options.signal?.removeEventListener("abort", cancel);
          if (error) reject(fromGrpcError(error));
          else resolve(response);
        },
      );
      const cancel = () => call.cancel();
      options.signal?.addEventListener("abort", cancel, { once: true });
    });
  };
}

/** Sends many messages and gets one; what the caller's iterable throws ends the call. */
function sending(grpc: GrpcClient, path: string, method: MethodDefinition, metadataOf: MetadataOf) {
  if (method.responseStream) {
    return () => {
      throw new UnimplementedError(path);
    };
  }
  return async (requests: AsyncIterable<unknown>, options: ClientCallOptions = {}) => {
    const metadata = await metadataOf(options);
    if (options.signal?.aborted) throw new CanceledError(`${path} was canceled by the caller`);
    let call: ClientWritableStream<unknown> | undefined;
    const cancel = () => call?.cancel();
    const answered = new Promise<unknown>((resolve, reject) => {
      call = grpc.makeClientStreamRequest(
        path,
        serializer(method.requestType),
        (bytes: Buffer) => method.responseType.decode(bytes),
        metadata,
        // Real time: a deadline of gRPC is a time of the machine.
        { deadline: Date.now() + (options.timeout ?? 60_000) },
        (error: ServiceError | null, response: unknown) => (error ? reject(fromGrpcError(error)) : resolve(response)),
      );
    });
    options.signal?.addEventListener("abort", cancel, { once: true });
    try {
      // An answer may come before everything is sent: a refusal, for instance.
      const ended = answered.then(
        () => true,
        () => true,
      );
      for await (const request of requests) {
        if (call?.write(request)) continue;
        const drained = new Promise<boolean>((resolve) => call?.once("drain", () => resolve(false)));
        if (await Promise.race([ended, drained])) break;
      }
      call?.end();
      return await answered;
    } catch (error) {
      call?.cancel();
      answered.catch(() => {});
      throw error;
    } finally {
      options.signal?.removeEventListener("abort", cancel);
    }
  };
}

function streaming(grpc: GrpcClient, path: string, method: MethodDefinition, metadataOf: MetadataOf) {
  return async function* (request: unknown, options: ClientCallOptions = {}) {
    const call: ClientReadableStream<unknown> = grpc.makeServerStreamRequest(
      path,
      serializer(method.requestType),
      (bytes: Buffer) => method.responseType.decode(bytes),
      request,
      await metadataOf(options),
      options.timeout === undefined ? {} : { deadline: Date.now() + options.timeout },
    );
    const cancel = () => call.cancel();
    options.signal?.addEventListener("abort", cancel, { once: true });
    try {
      for await (const item of call) yield item;
    } catch (error) {
      if (options.signal?.aborted) return;
      throw fromGrpcError(error);
    } finally {
      options.signal?.removeEventListener("abort", cancel);
      call.cancel();
    }
  };
}
