import { readlinkSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { Bundle, type Change, script } from "./bundle.ts";

/** Settings of process and linux that the kernel keeps of a process, read back from it. */

let bundle: Bundle | undefined;
afterEach(async () => {
  await bundle?.close();
  bundle = undefined;
});

function made(text: string, change: Change): Bundle {
  bundle = new Bundle((spec) => {
    script(text)(spec);
    change(spec);
  });
  for (const applet of ["ionice", "taskset", "uname"])
    symlinkSync("busybox", join(bundle.rootfs, "bin", applet));
  return bundle;
}

function output(text: string, change: Change): string {
  const { status, stdout, stderr } = made(text, change).run();
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout;
}

test("a scheduling policy and its niceness are the process's", () => {
  const stdout = output("sed 's/.*) //' /proc/self/stat", (spec) => {
    spec.process.scheduler = { policy: "SCHED_BATCH", nice: 7 };
  });
  const fields = stdout.split(" ");
  // proc_pid_stat(5): field 19 is nice, 41 the policy (3: SCHED_BATCH); the first here is field 3.
  expect([fields[16], fields[38]]).toEqual(["7", "3"]);
});

test("an I/O priority is the process's", () => {
  expect(
    output("ionice -p $$", (spec) => {
      spec.process.ioPriority = { class: "IOPRIO_CLASS_BE", priority: 6 };
    }),
  ).toBe("best-effort: prio 6\n");
});

test("LINUX32 makes the machine a 32-bit one, for what is executed later, too", () => {
  const container = made("uname -m; sleep 60", (spec) => {
    spec.linux.personality = { domain: "LINUX32" };
  });
  const id = container.id();
  expect(container.runk("run", "--detach", id).status).toBe(0);
  expect(container.runk("exec", id, "uname", "-m").stdout).toBe("i686\n");
});

describe("CPU affinity", () => {
  test("is of what is executed, not of the container's first process", () => {
    const container = made("sleep 60", (spec) => {
      spec.process.execCPUAffinity = { initial: "0", final: "1" };
    });
    const id = container.id();
    expect(container.runk("run", "--detach", id).status).toBe(0);
    const allowed = (pid: string) =>
      container.runk("exec", id, "grep", "Cpus_allowed_list", `/proc/${pid}/status`).stdout.split("\t")[1];
    expect(allowed("self")).toBe("1\n");
    expect(allowed("1")).not.toBe("1\n");
  });

  test("without a final one all CPUs are the process's again", () => {
    const container = made("sleep 60", (spec) => {
      spec.process.execCPUAffinity = { initial: "0" };
    });
    const id = container.id();
    expect(container.runk("run", "--detach", id).status).toBe(0);
    const { stdout } = container.runk(
      "exec",
      id,
      "grep",
      "Cpus_allowed_list",
      "/proc/1/status",
      "/proc/self/status",
    );
    const [first, executed] = stdout
      .trim()
      .split("\n")
      .map((line) => line.split("\t")[1]);
    expect(executed).toBe(first);
    expect(executed).not.toBe("0");
  });
});

test("a time namespace's clocks have their offsets", () => {
  const stdout = output("cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime", (spec) => {
    (spec.linux.namespaces as object[]).push({ type: "time" });
    spec.linux.timeOffsets = { monotonic: { secs: 1000 }, boottime: { secs: 9_000_000 } };
  });
  expect(stdout).toMatch(/^monotonic +1000 +0\nboottime +9000000 +0\n/);
  expect(Number(stdout.trim().split("\n").at(-1))).toBeGreaterThan(9_000_000);
});

test("a time namespace is joined by its path, with its clocks", () => {
  const other = made("sleep 60", (spec) => {
    (spec.linux.namespaces as object[]).push({ type: "time" });
    spec.linux.timeOffsets = { boottime: { secs: 9_000_000 } };
  });
  const id = other.id();
  expect(other.runk("run", "--detach", id).status).toBe(0);
  const { pid } = JSON.parse(other.runk("state", id).stdout);
  other.configure((spec) => {
    script("readlink /proc/self/ns/time; cut -d. -f1 /proc/uptime")(spec);
    (spec.linux.namespaces as object[]).push({ type: "time", path: `/proc/${pid}/ns/time` });
  });
  const [namespace, uptime] = other.run().stdout.split("\n");
  expect(namespace).toBe(readlinkSync(`/proc/${pid}/ns/time`));
  expect(Number(uptime)).toBeGreaterThan(9_000_000);
});

test.each<[string, Change, string]>([
  [
    "an unknown policy",
    (spec) => {
      spec.process.scheduler = { policy: "SCHED_MOON" };
    },
    "is not one of SCHED_OTHER, SCHED_FIFO, ",
  ],
  [
    "Intel RDT",
    (spec) => {
      spec.linux.intelRdt = { closID: "x" };
    },
    "linux.intelRdt: Intel RDT is not supported",
  ],
])("%s is refused before anything is made", (_, change, message) => {
  const { status, stderr } = made("true", change).run();
  expect(stderr).toContain(message);
  expect(status).not.toBe(0);
});
