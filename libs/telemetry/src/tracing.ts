import {
  type Context,
  type Tracer as OtelTracer,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";

/** OpenTelemetry traces. A change's `traceparent` is the parent of every span that works on that change. */
export interface Tracer {
  /** Runs `work` inside a span; an error is recorded on it and thrown on. */
  span<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

export interface SpanOptions {
  readonly traceparent?: string;
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
}

const propagator = new W3CTraceContextPropagator();

function parentOf(traceparent: string | undefined): Context {
  if (!traceparent) return ROOT_CONTEXT;
  return propagator.extract(
    ROOT_CONTEXT,
    { traceparent },
    {
      get: (carrier: Record<string, string>, key) => carrier[key],
      keys: (carrier) => Object.keys(carrier),
    },
  );
}

function tracerOver(tracer: OtelTracer, stop: () => Promise<void>): Tracer {
  return {
    async span(name, { traceparent, attributes }, work) {
      const span = tracer.startSpan(name, attributes ? { attributes } : {}, parentOf(traceparent));
      try {
        return await work(span);
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
        throw error;
      } finally {
        span.end();
      }
    },
    stop,
  };
}

/** Spans that cost nothing and go nowhere. */
export const noTracer: Tracer = tracerOver(trace.getTracer("none"), async () => {});

/** Exports spans over OTLP/HTTP to `endpoint` (such as `http://127.0.0.1:4318/v1/traces`); loads the SDK on first use. */
export async function createOtlpTracer({ service, endpoint }: { service: string; endpoint: string }): Promise<Tracer> {
  const [{ BasicTracerProvider, BatchSpanProcessor }, { OTLPTraceExporter }, { resourceFromAttributes }] =
    await Promise.all([
      import("@opentelemetry/sdk-trace-base"),
      import("@opentelemetry/exporter-trace-otlp-proto"),
      import("@opentelemetry/resources"),
    ]);
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": service }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: endpoint }))],
  });
  propagation.setGlobalPropagator(propagator);
  return tracerOver(provider.getTracer(service), () => provider.shutdown());
}
