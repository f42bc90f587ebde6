// make test / make test-full: runs the suites in order, cheapest first, and ends with one line that counts the tests:
// `N passed, N failed`. A suite that cannot start counts as one failure. Exit status 1 when anything failed.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { otherCells, skipped } from "../tests/harness/matrix.mjs";

const full = process.argv.includes("--full");
/** What SPECIFICATION.md promises of `make test`, on 2 cores or more; one core is given twice that. */
const LIMIT_MINUTES = 40 * Math.max(1, 2 / availableParallelism());
const began = Date.now();
const reports = "build/test-reports";
mkdirSync(reports, { recursive: true });

/** @typedef {{passed: number, failed: number}} Count */

/** What failed, one line each: told again at the end, because a CI log is often kept by its tail only. */
const failures = [];

/** @type {(name: string, command: string, args: string[], count: (output: string) => Count, minutes: number) => Count} */
const suite = (name, command, args, count, minutes) => {
  const started = Date.now();
  console.log(`== ${name}`);
  const run = spawnSync(command, args, {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
    maxBuffer: 256 << 20,
    timeout: minutes * 60_000,
    killSignal: "SIGKILL",
  });
  const output = run.stdout ?? "";
  process.stdout.write(output);
  let result = { passed: 0, failed: 0 };
  try {
    result = count(output);
  } catch (error) {
    console.log(`${name}: no result (${error})`);
  }
  if ((run.status !== 0 || result.passed === 0) && result.failed === 0) {
    const reason = `${name}: ended with ${run.signal ?? run.status}, and counted no failure`;
    console.log(reason);
    failures.push(reason);
    result.failed = 1;
  }
  console.log(
    `== ${name}: ${result.passed} passed, ${result.failed} failed (${((Date.now() - started) / 1000).toFixed(0)} s)`,
  );
  return result;
};

/** @type {(name: string, args: string[], minutes: number, launcher?: string[]) => Count} */
const vitest = (name, args, minutes, launcher = []) => {
  const report = `${reports}/${name.replaceAll(/[^a-z0-9]+/gi, "-")}.json`;
  rmSync(report, { force: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const [program, ...words] = [...launcher, "npx", "vitest", "run", ...reporters, ...args];
  return suite(
    name,
    program,
    words,
    () => {
      const outcome = JSON.parse(readFileSync(report, "utf8"));
      const { numPassedTests, numFailedTests, numFailedTestSuites, success } = outcome;
      failures.push(...failedTests(name, outcome));
      const failed = numFailedTests || (success ? 0 : Math.max(1, numFailedTestSuites));
      return { passed: numPassedTests, failed };
    },
    minutes,
  );
};

/** The failed tests of a report of vitest: suite, file, name, and the message up to 2,000 characters. */
function failedTests(name, { testResults }) {
  const where = (file) => file.replace(`${process.cwd()}/`, "");
  return testResults.flatMap((file) => {
    const tests = file.assertionResults.filter(({ status }) => status === "failed");
    if (tests.length === 0 && file.status === "failed")
      return [`${name}: ${where(file.name)}: ${file.message.slice(0, 2000)}`];
    return tests.map(
      (test) =>
        `${name}: ${where(file.name)}: ${test.fullName}: ${test.failureMessages.join("\n").slice(0, 2000)}`,
    );
  });
}

const sum = (pattern) => (output) => {
  const total = { passed: 0, failed: 0 };
  for (const [, passed, failed] of output.matchAll(pattern)) {
    total.passed += Number(passed);
    total.failed += Number(failed);
  }
  return total;
};

/** Each match is one test that passed; a failure is told by the exit status. */
const each = (pattern) => (output) => ({ passed: [...output.matchAll(pattern)].length, failed: 0 });

/** The steps of scripts/check: it names each as it begins, and ends at the first that fails. */
const checkSteps = (output) => {
  const steps = [...output.matchAll(/^check: (.*)/gm)];
  const last = steps.pop();
  if (last?.[1].startsWith("ok ")) return { passed: steps.length, failed: 0 };
  failures.push(`static checks: ${output.slice(last?.index).slice(0, 2000)}`);
  return { passed: steps.length, failed: 1 };
};

const rustTests = ["test", "--locked", "--features", "kata-sys/types"];
const endToEnd = (name, folder, minutes, launcher = []) =>
  vitest(name, ["--config", "tests/vitest.config.ts", folder], minutes, launcher);

const results = [
  suite("static checks", "/bin/sh", ["-c", "exec scripts/check --static 2>&1"], checkSteps, 10),
  vitest("unit tests (TypeScript)", [], 5),
  suite("unit tests (Rust)", "cargo", rustTests, sum(/(\d+) passed; (\d+) failed/g), 10),
  suite("ops on the engine", "build/test/engine-tests", [], sum(/^(\d+) passed, (\d+) failed/gm), 5),
  suite(
    "ops on Node.js",
    "node",
    ["--enable-source-maps", "build/test/engine-tests.node.mjs"],
    sum(/^(\d+) passed, (\d+) failed/gm),
    5,
  ),
  suite(
    "ttRPC on the engine",
    "/bin/sh",
    ["-c", "exec build/test/ttrpc-engine test 2>&1"],
    each(/^ok: /gm),
    5,
  ),
  endToEnd("the leak check", "tests/harness", 5),
  endToEnd("rtnetlink in namespaces", "tests/netlink", 5),
  endToEnd("runk on the host", "tests/runk", 10),
  endToEnd("OCI conformance with runk", "tests/conformance/native", 15),
  endToEnd("the guest", "tests/guest", 10),
  endToEnd("containers in VMs", "tests/e2e", 40),
  endToEnd("OCI conformance with kata-runtime", "tests/conformance/vm", 15),
  endToEnd("smoke in every other cell", "tests/matrix", 15),
  endToEnd("faults", "tests/faults", 10),
];
if (full) {
  for (const { name } of otherCells) {
    process.env.KATA_TEST_CELL = name;
    results.push(endToEnd(`containers in VMs, ${name}`, "tests/e2e", 30));
  }
  delete process.env.KATA_TEST_CELL;
  // Another seed each time: the log names it.
  process.env.KATA_FAULT_SEED ??= String(Date.now() % 1_000_000);
  process.env.KATA_FAULT_POINTS ??= "500";
  results.push(endToEnd("500 faults", "tests/faults", 90));
  results.push(endToEnd("soak", "tests/full", 150, ["tests/full/alone"]));
  results.push(endToEnd("a host with systemd and cgroup v2", "tests/host", 60));
  // With the build of crictl and containerd 2, the first time.
  results.push(
    endToEnd("docker, podman and CRI with runk and kata-runtime, beside runc", "tests/clients", 140),
  );
}

const minutes = (Date.now() - began) / 60_000;
// Not a failure: how long it takes is the machine's as well, and what else runs there.
const verdict = full
  ? ""
  : `: ${minutes > LIMIT_MINUTES ? "BROKEN, " : ""}${LIMIT_MINUTES} may be (SPECIFICATION.md)`;
console.log(`== all suites: ${minutes.toFixed(1)} minutes${verdict}`);

const passed = results.reduce((n, r) => n + r.passed, 0);
const failed = results.reduce((n, r) => n + r.failed, 0);
if (skipped !== undefined) console.log(skipped);
for (const failure of failures) console.log(`FAILED ${failure}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
