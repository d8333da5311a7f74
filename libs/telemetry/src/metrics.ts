/** Prometheus metrics as a port. Asking twice for a name gives the same metric. */
export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  gauge(name: string, help: string, labels?: readonly string[]): Gauge;
  histogram(name: string, help: string, labels?: readonly string[], buckets?: readonly number[]): Histogram;
  /** The text exposition of all of them. */
  expose(): Promise<string>;
}

export type Labels = Readonly<Record<string, string>>;
export interface Counter {
  add(labels?: Labels, value?: number): void;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
  remove(labels: Labels): void;
}
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

const nothing = { add() {}, set() {}, remove() {}, observe() {} };

/** Metrics that go nowhere, for tests. */
export const noMetrics: Metrics = {
  counter: () => nothing,
  gauge: () => nothing,
  histogram: () => nothing,
  expose: async () => "",
};
