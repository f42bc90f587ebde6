import type { ExitStatus, Ops } from "@kata-containers/sys";
import { ops, setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { Reaper, shellStatus } from "./reaper.ts";

let ended: ExitStatus[] = [];

function withEnded(...statuses: ExitStatus[]): Reaper {
  ended = statuses;
  const fake: Partial<Ops> = { reapAny: () => ended.shift() };
  setOps(fake as Ops);
  return new Reaper();
}

afterEach(() => setOps(undefined));

test("a status goes to whoever waits for that pid, past orphans", async () => {
  const reaper = withEnded({ pid: 7, code: 0 }, { pid: 8, code: 3 });
  const status = reaper.wait(8);
  reaper.reap();
  expect(await status).toEqual({ pid: 8, code: 3 });
});

test("a child that ends before anybody knows its pid is not lost", async () => {
  const reaper = withEnded({ pid: 8, signal: 9 });
  using _launch = reaper.expect();
  reaper.reap();
  expect(await reaper.wait(8)).toEqual({ pid: 8, signal: 9 });
});

test("statuses of orphans are not kept once no child is expected", async () => {
  const reaper = withEnded({ pid: 8, code: 1 });
  const launch = reaper.expect();
  reaper.reap();
  launch[Symbol.dispose]();
  launch[Symbol.dispose]();
  const later = reaper.wait(8);
  ended = [{ pid: 8, code: 2 }];
  reaper.reap();
  expect(await later).toEqual({ pid: 8, code: 2 });
});

test("a closed descriptor's number does not stand for its child any more", async () => {
  ended = [];
  const text = new TextEncoder().encode("pos:\t0\nPid:\t8\n");
  const fake: Partial<Ops> = {
    reapAny: () => ended.shift(),
    spawn: () => ({ pid: 7, pidfd: 5 }),
    close: () => {},
    readFile: () => text,
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
  };
  setOps(fake as Ops);
  const reaper = new Reaper();
  reaper.install();
  const { pidfd } = ops.spawn({ path: "", argv: [], env: [], fds: [] });
  ops.close(pidfd);
  const status = ops.waitPidfd(pidfd);
  ended = [{ pid: 8, code: 4 }];
  reaper.reap();
  expect(await status).toEqual({ pid: 8, code: 4 });
});

test("what an orphan left is not the status of a new child with its pid", async () => {
  const reaper = withEnded({ pid: 7, code: 1 });
  setOps({ ...ops, spawn: () => ({ pid: 7, pidfd: 5 }) });
  reaper.install();
  using _launch = reaper.expect();
  reaper.reap();
  ops.spawn({ path: "", argv: [], env: [], fds: [] });
  const status = reaper.wait(7);
  ended = [{ pid: 7, code: 2 }];
  reaper.reap();
  expect(await status).toEqual({ pid: 7, code: 2 });
});

test("a status is an exit code or 128 plus a signal", () => {
  expect(shellStatus({ pid: 1, code: 42 })).toBe(42);
  expect(shellStatus({ pid: 1, signal: 9 })).toBe(137);
});
