export {
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  isDnsLabel,
  isDnsSubdomain,
  isQualifiedName,
  type NameRule,
  parseQuantity,
  type Quantity,
} from "@tiphys/kube-values";
export { type CompiledSchema, compileSchema } from "./custom/compile.js";
export { type Decoded, decode } from "./decode.js";
export { definition } from "./definitions.js";
export { type FieldError, type FieldErrorReason, invalidMessage } from "./field-error.js";
export { dropGated } from "./gated.js";
export * from "./kinds.js";
export { openApiV2Document, openApiV3Document, type ServedCrd } from "./openapi.js";
export * from "./schema.js";
export {
  compilePrinterColumns,
  customScalePrinter,
  defaultPrinter,
  formatAge,
  type PodSummary,
  type Printer,
  podSummary,
  type Row,
  scalePrinter,
  type TableColumn,
} from "./tables/index.js";
export { approvalOf } from "./validation/crd.js";
export { validateMetadata } from "./validation/metadata.js";
export { qosClass } from "./validation/pod/subresources.js";
export { needsHealthCheck as isHealthChecked, validateClusterIps } from "./validation/service.js";
export { APPARMOR } from "./warnings/pod.js";
