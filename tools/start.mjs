#!/usr/bin/env node
// `npm start`: installs what is missing, builds what is stale, then runs the standalone bundle in this very process.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { checkNode, ensureBuilt, ensureInstalled, root } from "./setup.mjs";

checkNode();
ensureInstalled({ dev: false });
ensureBuilt();
const { main } = await import(pathToFileURL(join(root, "apps/standalone/dist/main.mjs")).href);
await main(process.argv.slice(2));
