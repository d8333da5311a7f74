import { type Attributes, isPath } from "./rules.js";
import { quoted } from "./text.js";

/** What `username` may not do, and perhaps why, as it stands in a Forbidden status. */
export function refusal(username: string, attributes: Attributes, reason = ""): string {
  const text = describe(username, attributes).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  return reason ? `${text}: ${reason}` : text;
}

function describe(username: string, attributes: Attributes): string {
  if (isPath(attributes)) return `User ${quoted(username)} cannot ${attributes.verb} path ${quoted(attributes.path)}`;
  const { verb, group, resource, subresource, namespace } = attributes;
  const full = subresource ? `${resource}/${subresource}` : resource;
  const where = namespace ? `in the namespace ${quoted(namespace)}` : "at the cluster scope";
  return `User ${quoted(username)} cannot ${verb} resource ${quoted(full)} in API group ${quoted(group)} ${where}`;
}
