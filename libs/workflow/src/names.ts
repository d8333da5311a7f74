const encoder = new TextEncoder();

function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

function fnv1a64(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of encoder.encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}

/** Id of a node: the workflow's name for the root, else that plus the decimal 32-bit FNV-1a of the node's name. */
export const nodeId = (workflow: string, node: string): string =>
  node === workflow ? workflow : `${workflow}-${fnv1a32(node)}`;

/** Id of the node that finds its {@link nodeId} taken by another node: the 64-bit form. */
export const wideNodeId = (workflow: string, node: string): string => `${workflow}-${fnv1a64(node)}`;

const LONGEST_POD_PREFIX = 253 - 11;

/** Name of a node's pod (the originals' format v2): workflow, template and the hash that ends the node's id. */
export function podName(workflow: string, node: string, template: string, id: string): string {
  if (node === workflow) return workflow;
  const hash = id.slice(id.lastIndexOf("-") + 1);
  const prefix = template && !node.endsWith(".inline") ? `${workflow}-${template}` : workflow;
  return `${prefix.slice(0, LONGEST_POD_PREFIX)}-${hash}`;
}

/** Name of one child of a loop: `name(3:item)`. */
export function loopChildName(name: string, index: number, item: unknown): string {
  return `${name}(${index}:${describeItem(item).replace(/[()]/g, "")})`;
}

function describeItem(item: unknown): string {
  if (typeof item === "object" && item !== null && !Array.isArray(item)) {
    const map = item as Record<string, unknown>;
    return Object.keys(map)
      .sort()
      .map((key) => `${key}:${textOfItem(map[key])}`)
      .join(",");
  }
  return textOfItem(item);
}

/** An item as text: strings as they are, the rest as JSON. */
export const textOfItem = (item: unknown): string =>
  typeof item === "string" ? item : (JSON.stringify(item) ?? "null");
