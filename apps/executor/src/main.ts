import { emissary } from "./emissary.js";

const [mode, separator, ...command] = process.argv.slice(2);
if (mode !== "emissary" || separator !== "--" || command.length === 0) {
  process.stderr.write("usage: tiphys-executor emissary -- COMMAND [ARG…]\n");
  process.exit(64);
}
process.exitCode = await emissary(command, process.env);
// Output that is still on its way to a slow reader is written before the process ends by itself.
