import {
  type MethodDefinition as GrpcMethod,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { UnimplementedError } from "@tiphys/errors";
import { anonymous, type Principal } from "@tiphys/identity";
import { limits } from "@tiphys/limits";
import type { Logger, Metrics } from "@tiphys/telemetry";
import { HEALTH_PATH, healthService } from "./health.js";
import type { CallContext, MethodDefinition, ServedService } from "./service.js";
import { toGrpcStatus } from "./status.js";

export interface GrpcServerOptions {
  readonly services: readonly ServedService[];
  /** Who is calling `path` (`/package.Service/Method`); throws Unauthenticated or PermissionDenied. */
  authenticate(metadata: Readonly<Record<string, string>>, path: string): Promise<Principal>;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** The FileDescriptorSet served by reflection, in base64; absent: no reflection. */
  readonly descriptorSet?: string;
}

/** A grpc-js server with health and, when asked, reflection. Bind it, or inject connections into it. */
export async function createGrpcServer(options: GrpcServerOptions): Promise<Server> {
  const server = new Server({
    "grpc.max_receive_message_length": limits.grpcMessageBytes,
    "grpc.max_send_message_length": limits.grpcMessageBytes,
  });
  const handled = options.metrics.counter("grpc_server_handled_total", "RPCs completed on the server", [
    "grpc_service",
    "grpc_method",
    "grpc_code",
  ]);
  const services = [...options.services, healthService(options.services.map(({ definition }) => definition.fullName))];
  for (const { definition, handlers } of services) {
    const methods: Record<string, GrpcMethod<unknown, unknown>> = {};
    const implementation: Record<string, (call: never, callback: never) => void> = {};
    for (const [name, method] of Object.entries(definition.methods)) {
      const path = `/${definition.fullName}/${method.name}`;
      methods[name] = grpcMethod(path, method);
      const handler = handlers[name];
      const finished = (code: number) =>
        handled.add({ grpc_service: definition.fullName, grpc_method: method.name, grpc_code: String(code) });
      const context = async (
        call: Pick<ServerUnaryCall<unknown, unknown>, "metadata"> & {
          on(event: "cancelled", listener: () => void): unknown;
        },
      ): Promise<CallContext> => {
        const metadata = flatten(call.metadata);
        const abort = new AbortController();
        call.on("cancelled", () => abort.abort());
        return {
          principal: path.startsWith(HEALTH_PATH) ? anonymous : await options.authenticate(metadata, path),
          signal: abort.signal,
          metadata,
        };
      };
      const fail = (error: unknown) => {
        const status = toGrpcStatus(error);
        finished(status.code);
        if (status.code === 2 || status.code === 13) options.log.error("rpc failed", { path, error });
        return status;
      };
      if (method.requestStream && method.responseStream) {
        implementation[name] = ((call: ServerDuplexStream<unknown, unknown>) => {
          call.emit("error", toGrpcStatus(new UnimplementedError(path)));
        }) as never;
      } else if (method.requestStream) {
        implementation[name] = (async (
          call: ServerReadableStream<unknown, unknown>,
          callback: sendUnaryData<unknown>,
        ) => {
          try {
            if (!handler) throw new UnimplementedError(path);
            const response = await handler(call, await context(call));
            finished(0);
            callback(null, response);
          } catch (error) {
            callback(fail(error));
          }
        }) as never;
      } else if (method.responseStream) {
        implementation[name] = (async (call: ServerWritableStream<unknown, unknown>) => {
          try {
            if (!handler) throw new UnimplementedError(path);
            const ctx = await context(call);
            for await (const item of handler(call.request, ctx)) {
              if (call.cancelled) return;
              if (!call.write(item))
                await new Promise((resolve) => {
                  call.once("drain", resolve);
                  call.once("cancelled", resolve);
                });
            }
            finished(0);
            call.end();
          } catch (error) {
            call.emit("error", fail(error));
          }
        }) as never;
      } else {
        implementation[name] = (async (call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>) => {
          try {
            if (!handler) throw new UnimplementedError(path);
            const response = await handler(call.request, await context(call));
            finished(0);
            callback(null, response);
          } catch (error) {
            callback(fail(error));
          }
        }) as never;
      }
    }
    server.addService(methods, implementation as never);
  }
  if (options.descriptorSet) {
    const names = services.map(({ definition }) => definition.fullName);
    await addReflection(server, options.descriptorSet, names, options.authenticate);
  }
  return server;
}

function grpcMethod(path: string, method: MethodDefinition): GrpcMethod<unknown, unknown> {
  const encode = (type: MethodDefinition["requestType"]) => (message: unknown) =>
    Buffer.from(type.encode(message).finish());
  return {
    path,
    requestStream: method.requestStream,
    responseStream: method.responseStream,
    requestSerialize: encode(method.requestType),
    requestDeserialize: (bytes) => method.requestType.decode(bytes),
    responseSerialize: encode(method.responseType),
    responseDeserialize: (bytes) => method.responseType.decode(bytes),
  };
}

export function flatten(metadata: Metadata): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata.getMap())) if (typeof value === "string") flat[name] = value;
  return flat;
}

/** Reflection of `names`, for callers that may call anything else: the library itself asks nobody for a token. */
async function addReflection(
  server: Server,
  descriptorSet: string,
  names: string[],
  authenticate: GrpcServerOptions["authenticate"],
): Promise<void> {
  const [{ ReflectionService }, loader] = await Promise.all([import("@grpc/reflection"), import("@grpc/proto-loader")]);
  const packages = loader.loadFileDescriptorSetFromBuffer(Buffer.from(descriptorSet, "base64"));
  const guarded: Pick<Server, "addService"> = {
    addService(definition, implementation) {
      const handlers = Object.entries(implementation).map(([name, handler]) => {
        const path = definition[name]?.path ?? name;
        const guard = async (call: ServerDuplexStream<unknown, unknown>) => {
          try {
            await authenticate(flatten(call.metadata), path);
            (handler as (call: ServerDuplexStream<unknown, unknown>) => void)(call);
          } catch (error) {
            call.emit("error", toGrpcStatus(error));
          }
        };
        return [name, guard];
      });
      server.addService(definition, Object.fromEntries(handlers));
    },
  };
  new ReflectionService(packages as never, { services: names }).addToServer(guarded as Server);
}

/** Binds on an address; resolves to the port. TLS when a certificate is given. */
export function bindGrpc(
  server: Server,
  address: string,
  tls?: { cert: string; key: string; ca?: string },
): Promise<number> {
  const credentials = tls
    ? ServerCredentials.createSsl(
        tls.ca ? Buffer.from(tls.ca) : null,
        [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }],
        tls.ca !== undefined,
      )
    : ServerCredentials.createInsecure();
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}
