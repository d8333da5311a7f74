import { LimitExceededError, messageOf } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import {
  type Environment,
  type Fuel,
  fromPlain,
  GoInt,
  type GoValue,
  OutOfFuelError,
  quote,
  State,
} from "@tiphys/template";
import { parseYamlDocuments } from "@tiphys/yaml";
import { capabilitiesValue, parseKubeVersion } from "./capabilities.js";
import type { Chart, Values } from "./chart.js";
import { coalesceValues } from "./coalesce.js";
import { checkDependencies, isCompatible, processDependencies } from "./dependencies.js";
import { renderTemplates } from "./engine.js";
import { ChartError } from "./errors.js";
import { textOf } from "./file.js";
import { withContext } from "./functions.js";
import { mergeMaps, readValues } from "./load.js";
import { type Hook, type Manifest, sortManifests } from "./manifests.js";
import { validateSchemas } from "./schema.js";
import { mergeSources, type ValueSources } from "./strvals.js";

/** An object of the destination, as plain data, for `lookup`. */
export type Lookup = (apiVersion: string, kind: string, namespace: string, name: string) => unknown;

export interface RenderOptions {
  readonly releaseName: string;
  /** Default `default`. */
  readonly namespace?: string;
  /** `.Release.IsUpgrade` instead of `.Release.IsInstall`. */
  readonly isUpgrade?: boolean;
  /** `.Capabilities.KubeVersion`; default Helm's own. */
  readonly kubeVersion?: string;
  /** API versions beside those of Kubernetes itself; as a function, asked only where a template looks at them. */
  readonly apiVersions?: readonly string[] | (() => readonly string[]);
  readonly skipSchemaValidation?: boolean;
  /** Leaves hooks of the event `test` out. */
  readonly skipTests?: boolean;
  /** Notes of charts inside the chart, too. */
  readonly subNotes?: boolean;
  /** Without it `lookup` finds nothing, as with `helm template`. */
  readonly lookup?: Lookup;
  readonly environment: Environment;
  readonly fuel?: Fuel;
  /** How deep templates may be inside one another, for a stack that is larger than Node's own. */
  readonly depth?: number;
  /** Told what Helm would warn of. */
  readonly warn?: (message: string) => void;
}

export interface Crd {
  readonly path: string;
  readonly text: string;
  readonly objects: readonly Readonly<Record<string, unknown>>[];
}

export interface RenderedChart {
  readonly manifests: readonly Manifest[];
  readonly hooks: readonly Hook[];
  /** NOTES.txt, rendered. */
  readonly notes: string;
  /** Files of `crds/`, which templates never see. */
  readonly crds: readonly Crd[];
}

const releaseName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const MAX_RELEASE_NAME = 53;
const NOTES = "NOTES.txt";

function checkReleaseName(name: string): void {
  const fail = (reason: string): never => {
    throw new ChartError(`release name check failed: release name ${quote(name)}: ${reason}`);
  };
  if (name === "") fail("no name provided");
  if (name.length > MAX_RELEASE_NAME || !releaseName.test(name)) {
    fail(
      `invalid release name, must match regex ${releaseName.source} and the length must not be longer than ${MAX_RELEASE_NAME}`,
    );
  }
}

/** Values of all sources of a render, in Helm's order. Throws a {@link ChartError}. */
export function readValueSources(sources: ValueSources): Values {
  try {
    return mergeSources(sources, readValues, mergeMaps);
  } catch (error) {
    throw new ChartError(messageOf(error), { cause: error });
  }
}

/** Values from plain data, for instance of an Application's `valuesObject`. */
export function valuesFromPlain(value: Readonly<Record<string, unknown>>): Values {
  return fromPlain(value) as Values;
}

/**
 * Renders a chart with the given values (see {@link readValueSources}), as `helm template` does. The chart is not changed and
 * keeps what was compiled for it, so rendering it again is cheap. Throws a {@link ChartError}, or a `LimitExceededError` that
 * names the template and the limit.
 */
export function renderChart(source: Chart, values: Values, options: RenderOptions): RenderedChart {
  const { namespace = "default", isUpgrade = false, environment, warn } = options;
  checkReleaseName(options.releaseName);
  if (source.isLibrary) throw new ChartError("library charts are not installable");
  const kube = parseKubeVersion(options.kubeVersion);
  const chart = source.clone();
  checkDependencies(chart);
  processDependencies(chart, values);
  const merged = coalesceValues(chart, values, warn ? { warn } : {});
  if (!options.skipSchemaValidation) validateSchemas(chart, merged);
  const required = chart.metadata.kubeVersion;
  if (required !== "" && !isCompatible(required, kube.normalized)) {
    throw new ChartError(
      `chart requires kubeVersion: ${required} which is incompatible with Kubernetes ${kube.version}`,
    );
  }
  const release: Values = new Map<string, GoValue>([
    ["Name", options.releaseName],
    ["Namespace", namespace],
    ["IsUpgrade", isUpgrade],
    ["IsInstall", !isUpgrade],
    ["Revision", new GoInt(1n)],
    ["Service", "Helm"],
  ]);
  const { apiVersions = [] } = options;
  const capabilities = capabilitiesValue(kube, () => (typeof apiVersions === "function" ? apiVersions() : apiVersions));
  const { fuel: own, depth } = options;
  const fuel = own ?? { steps: 20_000_000, size: limits.renderOutputBytes, ...(depth ? { depth } : {}) };
  const lookup = (...query: Parameters<Lookup>): GoValue => fromPlain(options.lookup?.(...query) ?? {});
  const rendered = limited(chart.name, () =>
    withContext({ environment, lookup, including: new Map() }, () =>
      renderTemplates(chart, { release, capabilities, values: merged }, (set) => new State(set, "zero", fuel)),
    ),
  );
  const notes: string[] = [];
  let size = 0;
  for (const [name, text] of [...rendered]) {
    size += text.length;
    if (size > limits.renderOutputBytes) {
      throw new LimitExceededError(
        `chart ${chart.name}: its manifests are larger than ${limits.renderOutputBytes} bytes together`,
      );
    }
    if (!name.endsWith(NOTES)) continue;
    if (options.subNotes || name === `${chart.name}/templates/${NOTES}`) notes.push(text);
    rendered.delete(name);
  }
  const { manifests, hooks } = sortManifests(rendered);
  return {
    manifests,
    hooks: options.skipTests ? hooks.filter(({ events }) => !events.includes("test")) : hooks,
    notes: notes.join("\n"),
    crds: chart.crds().map(({ path, file }) => {
      const text = textOf(file);
      return { path, text, objects: crdObjects(path, text) };
    }),
  };
}

function crdObjects(path: string, text: string): Readonly<Record<string, unknown>>[] {
  return parseYamlDocuments(text, { file: path }).map(({ value }) => value as Readonly<Record<string, unknown>>);
}

function limited<T>(chart: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof OutOfFuelError)
      throw new LimitExceededError(`${error.place || chart}: ${error.limit}`, { cause: error });
    if (error instanceof RangeError) throw new LimitExceededError(`chart ${chart}: ${error.message}`, { cause: error });
    throw error;
  }
}
