import { defineConfig } from "vitest/config";

/** Unit tests: on Node, beside the code they test, wherever that is. End-to-end tests have a configuration of their own in tests/. */
export default defineConfig({
  test: {
    include: ["**/*.test.{ts,mjs}"],
    // Tests of the ops run on the product's own engine: see packages/sys/src/engine-tests.
    exclude: ["**/node_modules/**", "**/engine-tests/**", "tests/**", "build/**", "target/**"],
    testTimeout: 20_000,
  },
});
