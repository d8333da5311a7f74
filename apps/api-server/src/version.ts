/** What we answer as our version; Argo's clients need the field names, not the values. */
export const VERSION = "v0.1.0";

export const versionMessage = () => ({
  Version: VERSION,
  Platform: `${process.platform}/${process.arch}`,
  Compiler: "node",
});
