/** Every layer problem in the workspace at `root`, as sentences. */
export function layerProblems(root: string): string[];
