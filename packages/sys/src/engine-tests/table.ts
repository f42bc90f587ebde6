import { type Ops, ops } from "../index.ts";
import { equal, host, lastTest, opsTriedWithErrors } from "./harness.ts";

/** Ops that no test makes fail, and why. */
const WITHOUT_ERROR: Partial<Record<keyof Ops, string>> = {
  args: "memory of this process",
  env: "memory of this process",
  monotonicMs: "clock_gettime(2) of a clock that is there always",
  realtimeMs: "clock_gettime(2) of a clock that is there always",
  tsc: "ENODEV on a CPU that is no x86-64 alone",
  getpid: "getpid(2) cannot fail",
  geteuid: "geteuid(2) cannot fail",
  reapAny: "no child is undefined, and waitpid(2) has no other error with WNOHANG",
  cpuCount: "sched_getaffinity(2) of ourselves, with room for every CPU that there can be",
  uname: "uname(2) into memory of our own",
  sync: "sync(2) cannot fail",
};

lastTest(
  "every op of the table is tested with an error of its own, or is listed with the reason why not",
  () => {
    const tried = opsTriedWithErrors();
    const all = Object.keys(ops);
    equal(
      all.filter((op) => !tried.has(op) && !Object.hasOwn(WITHOUT_ERROR, op)),
      [],
      "ops without a test of an error",
    );
    const listed = Object.keys(WITHOUT_ERROR);
    // In a host program reapAny is refused, which is tested.
    equal(
      listed.filter((op) => (host.own && tried.has(op)) || !all.includes(op)),
      [],
      "listed, but tested after all or not in the table",
    );
  },
);
