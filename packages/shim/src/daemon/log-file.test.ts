import { SysError, setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { recordOps } from "../testing/fake-ops.ts";
import { LogFile } from "./log-file.ts";

afterEach(() => setOps(undefined));

/** A log of at most 100 bytes, 60 of them there already. */
function log(rename: () => void = () => {}) {
  let next = 5;
  const fstat = () => ({ size: 60 }) as never;
  const recorded = recordOps({ open: () => next++, fstat, rename });
  const file = new LogFile("/run/s/daemon.log", 100);
  recorded.calls.length = 0;
  return { file, calls: recorded.calls };
}

test("a full log is kept as .1, and begun anew at the same descriptor, which no program inherits", () => {
  const { file, calls } = log();
  file.written(39);
  expect(calls).toEqual([]);
  file.written(1);
  expect(calls).toEqual([
    'rename("/run/s/daemon.log", "/run/s/daemon.log.1")',
    expect.stringMatching(/^open\("\/run\/s\/daemon.log"/),
    "dup2(6, 5)",
    "setCloexec(5, true)",
    "close(6)",
  ]);
  expect(file.fd).toBe(5);
});

test("what is counted begins anew too", () => {
  const { file, calls } = log();
  file.written(40);
  calls.length = 0;
  file.written(99);
  expect(calls).toEqual([]);
  file.written(1);
  expect(calls[0]).toContain("rename");
});

test("where it cannot be renamed, it is emptied", () => {
  const { file, calls } = log(() => {
    throw new SysError("ENOSPC", "rename", "/run/s/daemon.log");
  });
  file.written(40);
  expect(calls.at(-1)).toBe("ftruncate(5, 0)");
});
