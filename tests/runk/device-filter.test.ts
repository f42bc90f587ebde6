import { spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { deviceFilter, deviceRules } from "@kata-containers/launch/testing";
import { afterEach, expect, test } from "vitest";
import { LAUNCH } from "./bundle.ts";

/** Where this machine has cgroup v2: also beside v1, whose own controller runk would take. */
const UNIFIED = readFileSync("/proc/self/mountinfo", "utf8")
  .split("\n")
  .find((line) => line.includes(" - cgroup2 "))
  ?.split(" ")[4];

const directory = mkdtempSync(`/var/tmp/device-filter-${process.pid}-`);
const cgroup = `${UNIFIED}/device-filter-${process.pid}`;
afterEach(() => {
  rmdirSync(cgroup);
  rmSync(directory, { recursive: true });
});

/** Runs a shell script in a v2 cgroup with these rules. */
function runWith(rules: Parameters<typeof deviceRules>[0], text: string): string {
  mkdirSync(cgroup);
  const init = [
    { op: "device_filter", cgroup, program: deviceFilter(deviceRules(rules)) },
    { op: "write", path: `${cgroup}/cgroup.procs`, text: "0" },
    { op: "exec", argv: ["sh", "-c", text], env: ["PATH=/usr/bin:/bin"], program: { path: "/bin/sh" } },
  ];
  const plan = join(directory, "plan");
  writeFileSync(plan, JSON.stringify({ sealed: false, parent: [], stage: [], init }));
  const fd = openSync(plan, "r");
  try {
    const { stdout, stderr } = spawnSync(LAUNCH, [], {
      cwd: directory,
      stdio: ["ignore", "pipe", "pipe", fd],
      encoding: "utf8",
      timeout: 10_000,
    });
    return stdout + stderr;
  } finally {
    closeSync(fd);
  }
}

test.skipIf(UNIFIED === undefined)("the kernel takes the program and does what the rules say", () => {
  const output = runWith(
    [{ allow: false }, { allow: true, type: "c", major: 1, minor: 11, access: "w" }],
    "exec 2>&1; mknod m c 1 1; mknod k c 1 11; head -c1 /dev/zero | wc -c; cat m; cat k; : > k && echo ok",
  );
  expect(output).toBe("1\ncat: m: Operation not permitted\ncat: k: Operation not permitted\nok\n");
});
