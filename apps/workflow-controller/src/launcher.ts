/** The file pods run: it finds a Node.js in the container and starts the bundle beside it. */
export const launcher = (node: string): string => `#!/bin/sh
dir=$(dirname "$0")
for node in "$TIPHYS_NODE" ${quoted(node)} node; do
  if [ -n "$node" ] && command -v "$node" >/dev/null 2>&1; then exec "$node" "$dir/executor.mjs" "$@"; fi
done
echo "tiphys-executor: there is no Node.js in this image; set TIPHYS_NODE or use an image that has it" >&2
exit 64
`;

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
