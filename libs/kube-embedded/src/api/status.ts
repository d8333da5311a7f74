import { KubeApiError, type StatusDetails, statusError } from "@tiphys/kube";
import { type FieldError, invalidMessage } from "@tiphys/kube-schema";
import type { ResourceType } from "@tiphys/resources";

type Named = Pick<ResourceType, "group" | "resource" | "kind">;

/** `deployments.apps`, `pods`: a resource as messages name it. */
export const resourceName = ({ group, resource }: Pick<ResourceType, "group" | "resource">): string =>
  group ? `${resource}.${group}` : resource;

const detailsOf = (type: Named, name: string, more: StatusDetails = {}): StatusDetails => ({
  ...(name ? { name } : {}),
  ...(type.group ? { group: type.group } : {}),
  kind: type.resource,
  ...more,
});

export const notFound = (type: Named, name: string): KubeApiError =>
  statusError(404, "NotFound", `${resourceName(type)} "${name}" not found`, detailsOf(type, name));

export const noSuchResource = (): KubeApiError =>
  statusError(404, "NotFound", "the server could not find the requested resource", {});

export const methodNotAllowed = (): KubeApiError =>
  statusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});

export const alreadyExists = (type: Named, name: string): KubeApiError =>
  statusError(409, "AlreadyExists", `${resourceName(type)} "${name}" already exists`, detailsOf(type, name));

export const conflict = (type: Named, name: string, problem: string): KubeApiError =>
  statusError(
    409,
    "Conflict",
    `Operation cannot be fulfilled on ${resourceName(type)} "${name}": ${problem}`,
    detailsOf(type, name),
  );

export const MODIFIED = "the object has been modified; please apply your changes to the latest version and try again";

export const badRequest = (message: string): KubeApiError => statusError(400, "BadRequest", message);

export const forbidden = (type: Named, name: string, problem: string, more?: StatusDetails): KubeApiError =>
  statusError(
    403,
    "Forbidden",
    `${resourceName(type)}${name ? ` "${name}"` : ""} is forbidden: ${problem}`,
    detailsOf(type, name, more),
  );

/** `occurred`: as the real server tells its own failures, with the cause. */
export const internal = (message: string, occurred = false): KubeApiError =>
  occurred
    ? statusError(500, "InternalError", `Internal error occurred: ${message}`, { causes: [{ message }] })
    : statusError(500, "InternalError", message);

/** `token` is how a list may go on all the same. */
export const expired = (message: string, token?: string): KubeApiError => {
  const { status } = statusError(410, "Expired", message);
  return new KubeApiError(token === undefined ? status : { ...status, metadata: { continue: token } });
};

/** What the real server answers when its own code fails on a request: 500 without a reason. */
export const bare = (message: string): KubeApiError =>
  new KubeApiError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, code: 500 });

/** 501 with the feature by name: what is not there is never answered as if it were. */
export const unimplemented = (feature: string): KubeApiError =>
  statusError(501, "NotImplemented", `${feature} is not implemented yet: see docs/compatibility.md`);

/** 422 with one cause per field. */
export function invalid(
  type: { group: string; kind: string },
  name: string,
  errors: readonly FieldError[],
): KubeApiError {
  const kind = type.group ? `${type.kind}.${type.group}` : type.kind;
  return statusError(422, "Invalid", `${kind} "${name}" is invalid: ${invalidMessage(errors)}`, {
    ...(name ? { name } : {}),
    ...(type.group ? { group: type.group } : {}),
    ...(type.kind ? { kind: type.kind } : {}),
    causes: errors.map(({ reason, message, field }) => ({ reason, message, field })),
  });
}

export const fieldError = (field: string, reason: FieldError["reason"], message: string): FieldError => ({
  field,
  reason,
  message,
});
