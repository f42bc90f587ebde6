import { type Ops, setOps } from "@kata-containers/sys";
import { textFiles } from "@kata-containers/sys/testing";
import { afterEach, expect, test } from "vitest";
import { whereabouts } from "./whereabouts.ts";

afterEach(() => setOps(undefined));

const proc = (files: Readonly<Record<string, string>>) => setOps(textFiles(files) as Ops);

const status = "Name:\tkata-launch\nUmask:\t0000\nState:\tD (disk sleep)\n";

test("a process in the kernel is told by its innermost function and its system call", () => {
  const stack = "[<0>] request_wait_answer+0x12c/0x210 [fuse]\n[<0>] fuse_simple_request+0x1a/0x30 [fuse]\n";
  proc({ "/proc/7/status": status, "/proc/7/stack": stack, "/proc/7/syscall": "257 0x4 0x7f 0x0\n" });
  expect(whereabouts(7)).toEqual(["pid 7 (kata-launch, D) in request_wait_answer, system call 257"]);
});

test("a kernel without stacks tells where it waits", () => {
  proc({ "/proc/7/status": status, "/proc/7/wchan": "pipe_read", "/proc/7/syscall": "running\n" });
  expect(whereabouts(7)).toEqual(["pid 7 (kata-launch, D) in pipe_read"]);
});

test("of a process that has ended there is nothing to tell", () => {
  proc({});
  expect(whereabouts(7)).toEqual([]);
});
