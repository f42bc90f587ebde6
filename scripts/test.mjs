// make test / make test-full: runs the suites in order, cheapest first, and ends with one line that counts the tests:
// `N passed, N failed`. A suite that cannot start counts as one failure. Exit status 1 when anything failed.
//
//   node scripts/test.mjs [--full] [PART...]     all parts, or those named
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { otherCells, skipped } from "../tests/harness/matrix.mjs";

const full = process.argv.includes("--full");
const names = process.argv.slice(2).filter((word) => !word.startsWith("--"));
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

/** @typedef {{key: string, onlyFull?: boolean, run: () => Count}} Part */

/** @type {Part[]} */
const parts = [
  {
    key: "static",
    run: () => suite("static checks", "/bin/sh", ["-c", "exec scripts/check --static 2>&1"], checkSteps, 10),
  },
  { key: "unit", run: () => vitest("unit tests (TypeScript)", [], 5) },
  {
    key: "rust",
    run: () => suite("unit tests (Rust)", "cargo", rustTests, sum(/(\d+) passed; (\d+) failed/g), 10),
  },
  {
    key: "ops",
    run: () =>
      suite("ops on the engine", "build/test/engine-tests", [], sum(/^(\d+) passed, (\d+) failed/gm), 5),
  },
  {
    key: "ops-node",
    run: () =>
      suite(
        "ops on Node.js",
        "node",
        ["--enable-source-maps", "build/test/engine-tests.node.mjs"],
        sum(/^(\d+) passed, (\d+) failed/gm),
        5,
      ),
  },
  {
    key: "ttrpc",
    run: () =>
      suite(
        "ttRPC on the engine",
        "/bin/sh",
        ["-c", "exec build/test/ttrpc-engine test 2>&1"],
        each(/^ok: /gm),
        5,
      ),
  },
  { key: "leak-check", run: () => endToEnd("the leak check", "tests/harness", 5) },
  { key: "netlink", run: () => endToEnd("rtnetlink in namespaces", "tests/netlink", 5) },
  { key: "runk", run: () => endToEnd("runk on the host", "tests/runk", 10) },
  {
    key: "conformance-runk",
    run: () => endToEnd("OCI conformance with runk", "tests/conformance/native", 15),
  },
  { key: "guest", run: () => endToEnd("the guest", "tests/guest", 10) },
  { key: "e2e", run: () => endToEnd("containers in VMs", "tests/e2e", 40) },
  {
    key: "conformance",
    run: () => endToEnd("OCI conformance with kata-runtime", "tests/conformance/vm", 15),
  },
  { key: "smoke", run: () => endToEnd("smoke in every other cell", "tests/matrix", 15) },
  { key: "faults", run: () => endToEnd("faults", "tests/faults", 10) },
  ...otherCells.map((cell) => ({ key: cell.name, onlyFull: true, run: () => inCell(cell.name) })),
  { key: "faults-500", onlyFull: true, run: manyFaults },
  {
    key: "soak",
    onlyFull: true,
    run: () => endToEnd("soak", "tests/full", 150, ["tests/full/alone"]),
  },
  {
    key: "host",
    onlyFull: true,
    run: () => endToEnd("hosts with systemd, and cgroup v2 or v1", "tests/host", 120),
  },
  {
    key: "clients",
    onlyFull: true,
    // With the build of crictl and containerd 2, the first time.
    run: () =>
      endToEnd("docker, podman and CRI with runk and kata-runtime, beside runc", "tests/clients", 140),
  },
];

/** @param {string} cell */
function inCell(cell) {
  process.env.KATA_TEST_CELL = cell;
  try {
    return endToEnd(`containers in VMs, ${cell}`, "tests/e2e", 30);
  } finally {
    delete process.env.KATA_TEST_CELL;
  }
}

function manyFaults() {
  // Another seed each time: the log names it.
  process.env.KATA_FAULT_SEED ??= String(Date.now() % 1_000_000);
  process.env.KATA_FAULT_POINTS ??= "500";
  return endToEnd("500 faults", "tests/faults", 90);
}

const unknown = names.filter((name) => !parts.some(({ key }) => key === name));
if (unknown.length > 0) {
  console.error(`no such part: ${unknown.join(" ")}; there are ${parts.map(({ key }) => key).join(" ")}`);
  process.exit(2);
}
const wanted = parts.filter(({ key, onlyFull = false }) =>
  names.length > 0 ? names.includes(key) : full || !onlyFull,
);
const results = wanted.map(({ run }) => run());

const minutes = (Date.now() - began) / 60_000;
// Not a failure: how long it takes is the machine's as well, and what else runs there.
const verdict =
  full || names.length > 0
    ? ""
    : `: ${minutes > LIMIT_MINUTES ? "BROKEN, " : ""}${LIMIT_MINUTES} may be (SPECIFICATION.md)`;
console.log(`== all suites: ${minutes.toFixed(1)} minutes${verdict}`);

const passed = results.reduce((n, r) => n + r.passed, 0);
const failed = results.reduce((n, r) => n + r.failed, 0);
if (skipped !== undefined) console.log(skipped);
for (const failure of failures) console.log(`FAILED ${failure}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
