import { gunzipSync, gzipSync } from "node:zlib";
import { FailedPreconditionError, UnimplementedError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type { Workflow, WorkflowNodeStatus, WorkflowStatus } from "@tiphys/resources";

type NodeTable = Readonly<Record<string, WorkflowNodeStatus>>;

/** Nodes keep their identity from pass to pass while nothing changes of them, so each is measured once. */
const sizes = new WeakMap<object, number>();

function sizeOf(value: object | undefined): number {
  if (value === undefined) return 0;
  let size = sizes.get(value);
  if (size === undefined) {
    size = Buffer.byteLength(JSON.stringify(value));
    sizes.set(value, size);
  }
  return size;
}

/** Bytes of a workflow as JSON with this status; a little more than it really is. */
function storedBytes(workflow: Workflow, status: WorkflowStatus): number {
  const { nodes, ...rest } = status;
  let size = sizeOf(workflow.spec) + sizeOf(workflow.metadata) + Buffer.byteLength(JSON.stringify(rest));
  for (const [id, node] of Object.entries(nodes ?? {})) size += id.length + 4 + sizeOf(node);
  return size;
}

/** Nodes as `status.compressedNodes` holds them: JSON, gzip, base64. The same nodes give the same text. */
export const packNodes = (nodes: NodeTable): string => gzipSync(JSON.stringify(nodes)).toString("base64");

function unpackNodes(text: string, name: string): Record<string, WorkflowNodeStatus> {
  try {
    const json = gunzipSync(Buffer.from(text, "base64"), { maxOutputLength: limits.workflowNodesBytes });
    return JSON.parse(json.toString("utf8")) as Record<string, WorkflowNodeStatus>;
  } catch (error) {
    throw new FailedPreconditionError(
      `workflow ${name}: status.compressedNodes cannot be read: it must be JSON, packed by gzip and base64, of at most ${limits.workflowNodesBytes} bytes`,
      { cause: error },
    );
  }
}

/**
 * The workflow with its nodes in `status.nodes`, however they are stored. Every reader of nodes goes through here.
 * Throws FailedPrecondition for nodes that cannot be read, Unimplemented for nodes that another controller has put into
 * a database.
 */
export function unpacked<W extends { readonly metadata: { readonly name: string }; readonly status?: unknown }>(
  workflow: W,
): W {
  const status = workflow.status as WorkflowStatus | undefined;
  if (!status) return workflow;
  const { compressedNodes, ...rest } = status;
  if (typeof compressedNodes === "string" && compressedNodes !== "")
    return { ...workflow, status: { ...rest, nodes: unpackNodes(compressedNodes, workflow.metadata.name) } };
  if (status["offloadNodeStatusVersion"] && !status.nodes)
    throw new UnimplementedError(
      `workflow ${workflow.metadata.name}: status.offloadNodeStatusVersion: reading nodes from a database`,
    );
  return workflow;
}

export type Packed =
  | { readonly ok: true; readonly status: WorkflowStatus }
  /** Too large to be stored, also when compressed. */
  | { readonly ok: false; readonly bytes: number };

/** A status as it is stored: with its nodes compressed when the workflow would be larger than Argo Workflows lets it be. */
export function packed(workflow: Workflow, status: WorkflowStatus): Packed {
  const { compressedNodes: _, ...open } = status;
  if (!status.nodes || storedBytes(workflow, open) <= limits.workflowBytes) return { ok: true, status: open };
  const { nodes, ...rest } = open;
  const small: WorkflowStatus = { ...rest, compressedNodes: packNodes(nodes ?? {}) };
  const bytes = storedBytes(workflow, small);
  return bytes <= limits.workflowBytes ? { ok: true, status: small } : { ok: false, bytes };
}
