import type { GoValue } from "@tiphys/template";
import type { Lock } from "./dependency-build.js";
import type { ChartFile } from "./file.js";
import type { Metadata } from "./metadata.js";

export type Values = Map<string, GoValue>;

/** A loaded chart and those inside it. */
export class Chart {
  parent: Chart | undefined;
  dependencies: Chart[] = [];

  constructor(
    public metadata: Metadata,
    public values: Values,
    readonly schema: ChartFile | undefined,
    readonly templates: readonly ChartFile[],
    readonly files: readonly ChartFile[],
    readonly lock?: Lock,
  ) {}

  get name(): string {
    return this.metadata.name;
  }

  get isRoot(): boolean {
    return this.parent === undefined;
  }

  get isLibrary(): boolean {
    return this.metadata.type.toLowerCase() === "library";
  }

  /** `parent/charts/child`: the start of the names of its templates. */
  get fullPath(): string {
    return this.parent ? `${this.parent.fullPath}/charts/${this.name}` : this.name;
  }

  setDependencies(charts: readonly Chart[]): void {
    this.dependencies = [...charts];
    for (const chart of charts) chart.parent = this;
  }

  /** The same chart with metadata of its own, and the same charts inside it. */
  copy(): Chart {
    const { metadata } = this;
    const dependencies = metadata.dependencies?.map((each) => ({ ...each }));
    const copy = new Chart(
      { ...metadata, dependencies },
      this.values,
      this.schema,
      this.templates,
      this.files,
      this.lock,
    );
    copy.dependencies = this.dependencies;
    copy.parent = this.parent;
    return copy;
  }

  /** A copy of the whole tree, which may be changed without changing this one. */
  clone(): Chart {
    const copy = this.copy();
    copy.setDependencies(this.dependencies.map((each) => each.clone()));
    copy.parent = undefined;
    return copy;
  }

  /** Files of `crds/`, this chart's first. */
  crds(): { readonly path: string; readonly file: ChartFile }[] {
    const own = this.files
      .filter(({ name }) => name.startsWith("crds/") && /\.(?:ya?ml|json)$/i.test(name))
      .map((file) => ({ path: `${this.fullPath}/${file.name}`, file }));
    return [...own, ...this.dependencies.flatMap((each) => each.crds())];
  }
}
