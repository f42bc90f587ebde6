import { expect, test } from "vitest";
import { repository } from "../harness/programs.ts";
import { useHost } from "./machine.ts";

const MINUTE = 60_000;
const host = useHost();

test("the host is as users have it: systemd, cgroup v2 alone, shared mounts, AppArmor, vhost-vsock", async () => {
  const { stdout } = await host().run(
    `
    cat /proc/1/comm
    stat -fc %T /sys/fs/cgroup
    grep -c ' - cgroup ' /proc/self/mountinfo
    findmnt -no PROPAGATION /
    cat /sys/module/apparmor/parameters/enabled
    modprobe vhost_vsock && ls /dev/vhost-vsock
    `,
    MINUTE,
  );
  expect(stdout).toBe("systemd\ncgroup2fs\n0\nshared\nY\n/dev/vhost-vsock\n");
});

test(
  "runk's suite passes there",
  async () => {
    // One process for all files: a node that starts takes seconds there.
    const { stdout, stderr } = await host().run(
      `
      cd ${repository} && RUNK_TEST_EFFORT=small node node_modules/vitest/vitest.mjs run --config tests/vitest.config.ts \\
        --pool=threads --no-isolate --no-color --reporter=json --outputFile=/run/report.json tests/runk >&2
      node -e '
        const { testResults } = JSON.parse(require("fs").readFileSync("/run/report.json", "utf8"));
        const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
        const failed = tests.filter(({ status }) => status === "failed");
        for (const { fullName, failureMessages } of failed) console.log(fullName, failureMessages.join());
        console.log(failed.length === 0 && tests.length > 50 ? "passed" : tests.length);
      '
      `,
      20 * MINUTE,
    );
    expect(stdout, stderr.slice(-4000)).toBe("passed\n");
  },
  21 * MINUTE,
);
