#!/usr/bin/env node
// The `tiphys` command from a checkout: installs and builds on first use, then runs the CLI bundle.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { checkNode, ensureBuilt, ensureInstalled, root } from "../tools/setup.mjs";

checkNode();
ensureInstalled({ dev: false });
ensureBuilt();
const { main } = await import(pathToFileURL(join(root, "apps/cli/dist/tiphys.mjs")).href);
process.exitCode = await main(process.argv.slice(2));
