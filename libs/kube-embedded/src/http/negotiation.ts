import { statusError } from "@tiphys/kube";

/** How an answer is to look. */
export interface Representation {
  readonly format: "json" | "yaml";
  readonly as?: "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList" | "APIGroupDiscoveryList";
  readonly version?: string;
}

const STREAMED = ", application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
const SERVED = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/** The first form of the Accept header that we have; 406 when there is none, so that clients fall back. */
export function negotiate(accept: string | undefined): Representation {
  if (!accept) return { format: "json" };
  for (const choice of accept.split(",")) {
    const [type = "", ...rest] = choice.split(";").map((part) => part.trim());
    const parameters = new Map(rest.map((part) => part.split("=", 2) as [string, string]));
    const format = formatOf(type.toLowerCase());
    if (!format) continue;
    const as = parameters.get("as");
    if (as === undefined) return { format };
    const version = parameters.get("v") ?? "v1";
    const known =
      as === "APIGroupDiscoveryList"
        ? parameters.get("g") === "apidiscovery.k8s.io" && version === "v2"
        : parameters.get("g") === "meta.k8s.io" && (version === "v1" || version === "v1beta1");
    if (!known) continue;
    if (
      as === "Table" ||
      as === "PartialObjectMetadata" ||
      as === "PartialObjectMetadataList" ||
      as === "APIGroupDiscoveryList"
    ) {
      return { format, as, version };
    }
  }
  throw accept.split(",").some((choice) => formatOf(choice.split(";")[0]?.trim().toLowerCase() ?? ""))
    ? statusError(406, "NotAcceptable", `only the following media types are accepted: ${SERVED}`)
    : statusError(406, "NotAcceptable", `406: Not Acceptable\n\nAvailable representations: ${SERVED}${STREAMED}`, {});
}

/** The form of a refusal: a plain one that is asked for, undefined when all are of another kind. */
export function errorFormat(accept: string | undefined): "json" | "yaml" | undefined {
  if (!accept) return "json";
  const choices = accept.split(",").map((choice) => choice.split(";").map((part) => part.trim()));
  const plain = choices.find(
    ([type = "", ...rest]) => formatOf(type.toLowerCase()) && !rest.some((part) => part.startsWith("as=")),
  );
  if (plain) return formatOf((plain[0] ?? "").toLowerCase());
  return undefined;
}

function formatOf(type: string): "json" | "yaml" | undefined {
  if (type === "application/json" || type === "*/*" || type === "application/*") return "json";
  if (type === "application/yaml") return "yaml";
  return undefined;
}
