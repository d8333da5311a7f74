/** Tests run as ES modules; tools/test.mjs starts jest with --experimental-vm-modules. */
export default {
  testEnvironment: "node",
  extensionsToTreatAsEsm: [".ts", ".tsx"],
  transform: {
    "^.+\\.tsx?$": [
      "@swc/jest",
      {
        jsc: { target: "es2022", parser: { syntax: "typescript", tsx: false, explicitResourceManagement: true } },
        module: { type: "es6" },
      },
    ],
  },
  moduleNameMapper: { "^(\\.{1,2}/.*)\\.js$": "$1" },
  testMatch: ["<rootDir>/libs/*/src/**/*.test.ts", "<rootDir>/apps/*/src/**/*.test.ts", "<rootDir>/tools/**/*.test.ts"],
  modulePathIgnorePatterns: ["/dist/", "/.cache/"],
  maxWorkers: 2,
  testTimeout: 30000,
  // A failed test may leave a server open; the run must end all the same.
  forceExit: true,
};
