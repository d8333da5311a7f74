import type { Principal } from "@tiphys/identity";

/** A message codec as our generated code has them. */
export interface MessageType<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

// biome-ignore lint/suspicious/noExplicitAny: the definition's own types say what each method takes and gives
type Any = any;

export interface MethodDefinition<Req = Any, Res = Any> {
  readonly name: string;
  readonly requestType: MessageType<Req>;
  readonly requestStream: boolean;
  readonly responseType: MessageType<Res>;
  readonly responseStream: boolean;
}

/** A service as the generated `…Definition` constants describe it. */
export interface ServiceDefinition {
  readonly name: string;
  readonly fullName: string;
  readonly methods: Readonly<Record<string, MethodDefinition>>;
}

/** What a handler knows about its call beside the request. */
export interface CallContext {
  readonly principal: Principal;
  readonly signal: AbortSignal;
  /** Request metadata, names in lower case. */
  readonly metadata: Readonly<Record<string, string>>;
}

type Request<M> = M extends { requestType: MessageType<infer T> } ? T : never;
/** What a method is called with: a message, or many where the caller streams. */
type Sent<M> = M extends { requestStream: true } ? AsyncIterable<Request<M>> : Request<M>;
type Response<M> = M extends { responseType: MessageType<infer T> } ? T : never;
type Streams<M> = M extends { responseStream: true } ? true : false;

/** The handlers of a service: a promise for unary methods, an async iterable for streams, either way. */
export type Handlers<S extends ServiceDefinition> = {
  readonly [Name in keyof S["methods"]]: (
    request: Sent<S["methods"][Name]>,
    call: CallContext,
  ) => Streams<S["methods"][Name]> extends true
    ? AsyncIterable<Response<S["methods"][Name]>>
    : Promise<Response<S["methods"][Name]>>;
};

export interface ClientCallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds; default 60,000 for unary calls, none for streams. */
  readonly timeout?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The client of a service, the same shape over every transport. */
export type Client<S extends ServiceDefinition> = {
  readonly [Name in keyof S["methods"]]: (
    request: Sent<S["methods"][Name]>,
    options?: ClientCallOptions,
  ) => Streams<S["methods"][Name]> extends true
    ? AsyncIterable<Response<S["methods"][Name]>>
    : Promise<Response<S["methods"][Name]>>;
};

/** A service with its handlers, ready to be served. */
export interface ServedService {
  readonly definition: ServiceDefinition;
  readonly handlers: Readonly<Record<string, (request: Any, call: CallContext) => Any>>;
}

/** Binds handlers to their definition; the compiler checks that every method is there. */
export const serve = <S extends ServiceDefinition>(definition: S, handlers: Handlers<S>): ServedService => ({
  definition,
  handlers: handlers as ServedService["handlers"],
});
