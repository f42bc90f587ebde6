import { defineConfig } from "vitest/config";

/** Unit tests: pure TypeScript on Node, beside the code they test. End-to-end tests have a configuration of their own in tests/. */
export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts", "scripts/**/*.test.ts"],
    // Tests of the ops run on the product's own engine: see packages/sys/src/engine-tests.
    exclude: ["**/node_modules/**", "**/engine-tests/**"],
    testTimeout: 20_000,
  },
});
