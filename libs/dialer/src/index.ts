export * from "./create-dialer.js";
export * from "./dialer.js";
export { type Exchange, type FetchImpl, httpExchange } from "./http-exchange.js";
export type { EgressPolicy } from "./policy.js";
export * from "./replay-dialer.js";
