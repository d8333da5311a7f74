import type { AnalysisRun, Measurement, Metric } from "@tiphys/resources";

/** What a provider is given for one measurement. Args are substituted, secrets included: never log the metric. */
export interface MeasurementContext {
  readonly run: AnalysisRun;
  readonly metric: Metric;
  /** Counts the measurements of this metric from 1; with the run's uid it names what a measurement creates. */
  readonly number: number;
}

/** What one look at a metric gave. An expected failure to measure is thrown and becomes an Error measurement. */
export type ProviderResult =
  /** A value for the conditions. */
  | { readonly kind: "value"; readonly value: unknown; readonly metadata?: Readonly<Record<string, string>> }
  /** The provider judges by itself (jobs). */
  | {
      readonly kind: "verdict";
      readonly phase: "Successful" | "Failed" | "Error" | "Inconclusive";
      readonly message?: string;
      readonly metadata?: Readonly<Record<string, string>>;
    }
  /** Still being measured; looked at again when something changes, and at `resumeAt`. */
  | { readonly kind: "running"; readonly resumeAt?: Date; readonly metadata?: Readonly<Record<string, string>> };

/** One metric provider. `run` and `terminate` are safe to repeat after a crash. */
export interface MetricProvider {
  run(context: MeasurementContext, signal: AbortSignal): Promise<ProviderResult>;
  /** Looks again at a measurement that was running. Absent: providers that answer at once. */
  resume?(context: MeasurementContext, measurement: Measurement, signal: AbortSignal): Promise<ProviderResult>;
  /** Ends a running measurement early. */
  terminate?(context: MeasurementContext, measurement: Measurement, signal: AbortSignal): Promise<void>;
}
