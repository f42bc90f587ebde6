import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importTypeScript } from "../../scripts/import-typescript.mjs";

const { NOISE } = await importTypeScript("tests/harness/memory.ts");

export const soak = {
  name: "soak",
  promise: "200 × create, start, delete: clean",
  /** What is asserted is the test's: no failure, nothing left on the host, no growth. */
  measure() {
    const { daemon, agent, seconds } = growthInTest("sandboxes one after the other");
    const grown = [daemon, agent].map(({ first, last }) => (last - first) / 1024);
    return {
      figure: `${grown[0]?.toFixed(0)} KiB daemon, ${grown[1]?.toFixed(0)} KiB agent, ${seconds.last.toFixed(2)} s each`,
      baseline: `the first ten ${seconds.first.toFixed(2)} s each`,
      used: (Math.max(...grown) * 1024) / NOISE,
    };
  },
};

/** Runs one test of the soak; throws its first failure. @param {string} name part of the test's */
function growthInTest(name) {
  const folder = mkdtempSync(join(tmpdir(), "kata-bench-soak-"));
  const report = join(folder, "report.json");
  try {
    const vitest = ["npx", "vitest", "run", "--config", "tests/vitest.config.ts", "tests/full", "-t", name];
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const { stdout } = spawnSync("tests/full/alone", [...vitest, ...reporters], {
      encoding: "utf8",
      timeout: 120 * 60_000,
      maxBuffer: 64 << 20,
      killSignal: "SIGKILL",
    });
    const { testResults, numPassedTests } = JSON.parse(readFileSync(report, "utf8"));
    const failed = testResults.flatMap(({ assertionResults, message }) => [
      ...assertionResults.flatMap(({ failureMessages }) => failureMessages ?? []),
      ...(message ? [message] : []),
    ]);
    if (failed.length > 0) throw new Error(failed[0].split("\n")[0]);
    if (numPassedTests !== 1) throw new Error(`${numPassedTests} tests of the soak ran, not one`);
    return JSON.parse(/^soak, sandboxes: (.*)$/m.exec(stdout)?.[1] ?? "");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
