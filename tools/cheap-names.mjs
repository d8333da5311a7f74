import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const HELPER = /^var __name = \(\w+, \w+\) => __defProp\(\w+, "name", \{ value(: \w+)?, configurable: true \}\);$/m;
const CHEAP =
  'var __name = (target, value) => target.name === value || target.prototype === void 0 ? target : __defProp(target, "name", { value, configurable: true });';

/**
 * Plugin of esbuild for bundles below `root` that keep names for the sake of classes, whose names are codes of errors.
 * esbuild also names each closure each time that it is made, which is a twentieth of what the API server does: here only
 * classes and functions that bundling has renamed are named.
 */
export const cheapNames = (root) => ({
  name: "cheap-names",
  setup(build) {
    build.onEnd(({ metafile, errors }) => {
      if (errors.length > 0) return;
      for (const path of Object.keys(metafile.outputs)) {
        const file = join(root, path);
        const text = readFileSync(file, "utf8");
        // A helper of another form stays as it is: right, and slower.
        writeFileSync(file, text.replace(HELPER, CHEAP));
      }
    });
  },
});
