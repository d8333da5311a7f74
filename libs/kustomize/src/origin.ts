/** Where a resource comes from, as `buildMetadata` asks for it. */
export interface Origin {
  readonly path?: string;
  readonly configuredIn?: string;
  readonly configuredBy?: { readonly apiVersion: string; readonly kind: string; readonly name?: string };
}

export const ORIGIN = "config.kubernetes.io/origin";
export const TRANSFORMATIONS = "alpha.config.kubernetes.io/transformations";

function lines({ path, configuredIn, configuredBy }: Origin): string[] {
  return [
    ...(path ? [`path: ${path}`] : []),
    ...(configuredIn ? [`configuredIn: ${configuredIn}`] : []),
    ...(configuredBy
      ? [
          "configuredBy:",
          `  apiVersion: ${configuredBy.apiVersion}`,
          `  kind: ${configuredBy.kind}`,
          ...(configuredBy.name ? [`  name: ${configuredBy.name}`] : []),
        ]
      : []),
  ];
}

export const originText = (origin: Origin): string => `${lines(origin).join("\n")}\n`;

export const transformationsText = (origins: readonly Origin[]): string =>
  origins
    .map(
      (origin) =>
        `${lines(origin)
          .map((line, at) => (at === 0 ? "- " : "  ") + line)
          .join("\n")}\n`,
    )
    .join("");
