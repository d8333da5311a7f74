import base from "../jest.config.mjs";

/** End-to-end scenarios: the real bundles, real servers, one after another. */
export default {
  ...base,
  rootDir: "..",
  testMatch: ["<rootDir>/e2e/**/*.e2e.ts"],
  testTimeout: 240_000,
  maxWorkers: 1,
};
