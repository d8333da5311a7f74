import { canonicalJson } from "@tiphys/canonical-json";
import { InvalidArgumentError } from "@tiphys/errors";
import { loadArchive } from "@tiphys/helm";
import type { HelmChart, Loader } from "@tiphys/kustomize";
import { joinPath } from "@tiphys/kustomize";
import { renderHelm, type SourceOptions, type SourceTree, wholeChartAt } from "./source.js";

/** Manifests of a chart that a kustomization names, as JSON documents; from the files, or from the repository it names. */
export function inflateChart(
  tree: SourceTree,
  chart: HelmChart,
  home: string,
  loader: Loader,
  { environment, depth, helm, archive }: SourceOptions,
): string {
  const { name, version, repo } = chart;
  if (!name) throw new InvalidArgumentError("helmCharts.name", "chart name cannot be empty");
  const folders = [...(version && repo ? [`${home}/${name}-${version}/${name}`] : []), `${home}/${name}`];
  const folder = folders
    .map((one) => joinPath(loader.folder, one))
    .find((one) => one !== undefined && tree.isFolder(one));
  if (folder === undefined && !(repo && archive)) {
    throw new InvalidArgumentError(
      "helmCharts.name",
      `chart ${name} is not in ${home}${
        repo ? ": charts are not pulled here, keep it among the files" : ", and it names no repo"
      }`,
    );
  }
  const { valuesFile, additionalValuesFiles = [], valuesInline, valuesMerge = "override" } = chart;
  if (!["merge", "override", "replace"].includes(valuesMerge)) {
    throw new InvalidArgumentError("helmCharts.valuesMerge", "valuesMerge must be one of [merge override replace]");
  }
  const inline =
    valuesInline && Object.keys(valuesInline).length > 0
      ? [{ name: "valuesInline", text: canonicalJson(valuesInline) }]
      : [];
  // Without a file of one's own the chart's values are the base anyway.
  const file = valuesFile ? [{ name: valuesFile, text: loader.text(valuesFile) }] : [];
  const own =
    inline.length === 0
      ? file
      : valuesMerge === "override"
        ? [...file, ...inline]
        : valuesMerge === "merge"
          ? [...inline, ...file]
          : inline;
  const files = [...own, ...additionalValuesFiles.map((path) => ({ name: path, text: loader.text(path) }))];
  const whole =
    folder === undefined
      ? loadArchive((archive as NonNullable<typeof archive>)(repo as string, name, version ?? ""))
      : wholeChartAt(tree, folder, archive ? { archive } : {});
  const objects = renderHelm(whole, {
    environment,
    ...(depth ? { depth } : {}),
    helm: {
      releaseName: chart.releaseName || "release-name",
      files,
      ...((chart.namespace ?? helm.namespace) ? { namespace: chart.namespace ?? helm.namespace ?? "" } : {}),
      ...((chart.kubeVersion ?? helm.kubeVersion) ? { kubeVersion: chart.kubeVersion ?? helm.kubeVersion ?? "" } : {}),
      apiVersions: chart.apiVersions ?? helm.apiVersions ?? [],
      includeCrds: chart.includeCRDs ?? false,
      skipTests: chart.skipTests ?? false,
      skipHooks: chart.skipHooks ?? false,
    },
  });
  return objects.map(({ object }) => `---\n${canonicalJson(object)}\n`).join("");
}
