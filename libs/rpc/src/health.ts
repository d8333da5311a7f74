import { NotFoundError } from "@tiphys/errors";
import { grpcHealthV1Health as health } from "@tiphys/proto";
import { type ServedService, serve } from "./service.js";

const { SERVING, SERVICE_UNKNOWN } = health.HealthCheckResponse_ServingStatus;

/** grpc.health.v1.Health for a server and its services: what is served at all is serving. */
export function healthService(names: readonly string[]): ServedService {
  const known = new Set(["", ...names]);
  return serve(health.HealthDefinition, {
    async check({ service = "" }) {
      if (!known.has(service)) throw new NotFoundError(`service ${service} is not served here`);
      return { status: SERVING };
    },
    async *watch({ service = "" }, { signal }) {
      yield { status: known.has(service) ? SERVING : SERVICE_UNKNOWN };
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    },
  });
}

/** Path prefix of the health service: it answers without authentication. */
export const HEALTH_PATH = `/${health.HealthDefinition.fullName}/`;
