import { Logger, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Admission } from "./admission.ts";

const PROCS = "/sys/fs/cgroup/memory/kata_1/cgroup.procs";
let written: string[];
let refused: string | undefined;

beforeEach(() => {
  [written, refused] = [[], undefined];
  setOps({
    utf8Encode: (text: string) => new TextEncoder().encode(text),
    writeFile: (_path: string, bytes: Uint8Array) => {
      const pid = new TextDecoder().decode(bytes);
      if (pid === refused) throw new Error("ESRCH");
      written.push(pid);
    },
  } as unknown as Parameters<typeof setOps>[0]);
});
afterEach(() => setOps(undefined));

const admission = (join?: () => void) => new Admission([PROCS], join, new Logger({ fd: -1, name: "test" }));

test("who comes is moved at once where the sandbox's processes were born in its cgroup", () => {
  const cgroup = admission();
  expect(cgroup.join).toBeUndefined();
  cgroup.admit(5);
  expect(written).toEqual(["5"]);
});

test("who comes before they have joined follows them", () => {
  const cgroup = admission(() => void written.push("first"));
  cgroup.admit(5);
  expect(written).toEqual([]);
  cgroup.join?.();
  cgroup.admit(6);
  expect(written).toEqual(["first", "5", "6"]);
});

test("one that cannot be moved keeps no other from it", () => {
  refused = "5";
  const cgroup = admission(() => {});
  cgroup.admit(5);
  cgroup.admit(6);
  cgroup.join?.();
  expect(written).toEqual(["6"]);
});
