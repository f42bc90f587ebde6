import { afterEach, expect, test } from "vitest";
import { Fd } from "./fd.ts";
import type { Ops } from "./ops.gen.ts";
import { ops, setOps } from "./ops.ts";

afterEach(() => setOps(undefined));

function recordCloses(): number[] {
  const closed: number[] = [];
  const fakes: Partial<Ops> = { close: (fd) => void closed.push(fd), dup: (fd) => fd + 100 };
  setOps(Object.assign(Object.create(ops), fakes));
  return closed;
}

test("a descriptor is closed once, at the end of its block", () => {
  const closed = recordCloses();
  {
    using fd = new Fd(5);
    using copy = fd.dup();
    expect(copy.number).toBe(105);
    fd.close();
    fd.close();
  }
  expect(closed).toEqual([5, 105]);
});

test("a released descriptor is the caller's, and the Fd has none any more", () => {
  const closed = recordCloses();
  const fd = new Fd(5);
  expect(fd.release()).toBe(5);
  fd.close();
  expect(closed).toEqual([]);
  expect(() => fd.number).toThrow("EBADF");
});

test("without an engine every op says so", () => {
  expect(() => ops.getpid()).toThrow("getpid: ENOSYS: no native ops on this engine");
});
