import { KataError } from "@kata-containers/sys";
import { expect, test, vi } from "vitest";
import type { Qmp } from "./qmp.ts";
import { stopQemu } from "./stop-qemu.ts";

const never = new Promise<never>(() => {});

/** @param ends whether it ends in time */
function process(ends: Promise<boolean>) {
  return { endsWithin: vi.fn(() => ends), kill: vi.fn(async () => {}) };
}

function qmp(answer: Promise<unknown>) {
  const execute = vi.fn(() => answer);
  return { execute, connected: Promise.resolve<Qmp>({ execute, close: () => {} }) };
}

test("a QEMU that quits is not killed, whether or not it answers first", async () => {
  for (const answer of [Promise.resolve({}), Promise.reject(new KataError("Unavailable", "closed")), never]) {
    const qemu = process(Promise.resolve(true));
    const { execute, connected } = qmp(answer);
    await stopQemu(qemu, connected, 7);
    expect(execute).toHaveBeenCalledWith("quit", undefined, 7);
    expect(qemu.kill).not.toHaveBeenCalled();
  }
});

test("one that hangs is killed at the deadline, the only one: before it greets, or when it does not answer", async () => {
  for (const connected of [never, qmp(never).connected]) {
    const qemu = process(Promise.resolve(false));
    await stopQemu(qemu, connected, 7);
    expect(qemu.endsWithin).toHaveBeenCalledExactlyOnceWith(7);
    expect(qemu.kill).toHaveBeenCalledOnce();
  }
});

test("one that cannot be asked is killed at once", async () => {
  const qemu = process(never);
  await stopQemu(qemu, Promise.resolve(undefined), 7);
  expect(qemu.kill).toHaveBeenCalledOnce();
});
