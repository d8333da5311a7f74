import { parseOptions } from "./options.js";

it("has defaults for everything", () => {
  expect(parseOptions([])).toEqual({
    data: ".tiphys",
    port: 8080,
    demo: true,
    once: false,
    logLevel: "warn",
    help: false,
  });
});

it.each([
  { argv: ["--port", "http"], why: '--port: "http" is not a port number' },
  { argv: ["--prot", "1"], why: "--prot" },
  { argv: ["--once", "--no-demo"], why: "--once: ends after the demo" },
  { argv: ["--clusters", "0"], why: '--clusters: "0" is no number from 1 to 9' },
  { argv: ["--clusters", "many"], why: '--clusters: "many"' },
  { argv: ["--log", "loud"], why: '--log: "loud" is none of' },
])("refuses $argv with the option's name", ({ argv, why }) => {
  expect(() => parseOptions(argv)).toThrow(why);
});
