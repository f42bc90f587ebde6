import { expect, test } from "vitest";
import { guardProc, PROC_SUPER_MAGIC } from "./proc-mounts.ts";

const guard = (destination: string, type = "bind") => guardProc({ destination, type }, type === "bind", "m");

test.each(["/proc/1", "/proc/sys", "/proc//net", "/x/../proc/sys/kernel", "proc/self", "/proc/./uptimes"])(
  "nothing is mounted on %s",
  (path) => {
    expect(() => guard(path)).toThrow(/m: "\/proc\/.*" cannot be mounted because it is inside \/proc/);
  },
);

test.each(["/proc/cpuinfo", "/proc/meminfo", "/proc/../proc/uptime", "/proc/sys/kernel/ns_last_pid"])(
  "%s may be emulated",
  (path) => {
    expect(guard(path)).toEqual({});
  },
);

test("/proc is procfs: a new one, or one that is bound; without links on the way", () => {
  expect(guard("/proc/", "proc")).toEqual({ noSymlinks: true });
  expect(guard("/proc")).toEqual({ noSymlinks: true, sourceOn: PROC_SUPER_MAGIC });
  expect(() => guard("/proc", "tmpfs")).toThrow(/is not of type proc/);
});

test.each(["/", "/process", "/a/proc", "/proc/.."])(
  "%s may be mounted on, unless it turns out to be procfs",
  (path) => {
    expect(guard(path)).toEqual({ notOn: PROC_SUPER_MAGIC });
  },
);
