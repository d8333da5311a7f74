import { clone, deepFreeze } from "@tiphys/canonical-json";
import { UnimplementedError } from "@tiphys/errors";
import type { Principal } from "@tiphys/identity";
import type {
  CallContext,
  Client,
  ClientCallOptions,
  MethodDefinition,
  ServedService,
  ServiceDefinition,
} from "./service.js";

export interface MemoryClientOptions {
  readonly principal: Principal;
  /** Encodes and decodes every message as a network would, so that tests find what only bytes show. */
  readonly encoded?: boolean;
}

/** Calls handlers in the same process. Messages are copied at the border: neither side sees the other's later changes. */
export function memoryClient<S extends ServiceDefinition>(
  definition: S,
  served: ServedService,
  { principal, encoded = false }: MemoryClientOptions,
): Client<S> {
  const border = <T>(type: MethodDefinition["requestType"], message: T): T =>
    encoded ? type.decode(type.encode(message).finish()) : freezeUnlessBytes(copy(message));
  const client: Record<string, unknown> = {};
  for (const [name, method] of Object.entries(definition.methods)) {
    const handler = served.handlers[name];
    if (!handler) throw new UnimplementedError(`${definition.fullName}/${method.name}`);
    const context = (options: ClientCallOptions): CallContext => ({
      principal,
      signal: deadline(options),
      metadata: options.metadata ?? {},
    });
    client[name] = method.responseStream
      ? async function* (request: unknown, options: ClientCallOptions = {}) {
          for await (const item of handler(border(method.requestType, request), context(options))) {
            yield border(method.responseType, item);
          }
        }
      : async (request: unknown, options: ClientCallOptions = {}) =>
          border(
            method.responseType,
            await handler(
              method.requestStream
                ? each(request as AsyncIterable<unknown>, (message) => border(method.requestType, message))
                : border(method.requestType, request),
              context({ timeout: 60_000, ...options }),
            ),
          );
  }
  return client as Client<S>;
}

async function* each<T>(messages: AsyncIterable<T>, change: (message: T) => T): AsyncIterable<T> {
  for await (const message of messages) yield change(message);
}

function deadline({ signal, timeout }: ClientCallOptions): AbortSignal {
  const signals = [signal, timeout === undefined ? undefined : AbortSignal.timeout(timeout)].filter(
    (s) => s !== undefined,
  );
  return signals.length === 0 ? new AbortController().signal : AbortSignal.any(signals);
}

/** Bytes stay bytes; everything else in our messages is plain data. */
function copy<T>(message: T): T {
  return hasBytes(message) ? (structuredClone(message) as T) : clone(message);
}

function hasBytes(value: unknown): boolean {
  if (value === null || typeof value !== "object") return false;
  if (ArrayBuffer.isView(value) || value instanceof Date || value instanceof Map) return true;
  for (const member of Object.values(value)) if (hasBytes(member)) return true;
  return false;
}

/** Typed arrays cannot be frozen; a copy is protection enough for messages that hold some. */
const freezeUnlessBytes = <T>(message: T): T => (hasBytes(message) ? message : deepFreeze(message));
