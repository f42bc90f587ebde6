import { defineConfig } from "vitest/config";

/** Tests that run the built programs: one after the other, for they share the machine's cores, cgroups and /run. */
export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    fileParallelism: false,
    // Every suite's leak check: what the others start they end before it.
    setupFiles: ["tests/harness/leak-check.ts", "tests/harness/cell-cache.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // How long an event may take on a loaded machine, not how long a test waits.
    expect: { poll: { timeout: 30_000 } },
  },
});
