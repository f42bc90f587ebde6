import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LINGER_MS, Lifetime } from "./lifetime.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watched(): { lifetime: Lifetime; left: () => boolean } {
  const lifetime = new Lifetime();
  let left = false;
  lifetime.over.then(() => {
    left = true;
  });
  return { lifetime, left: () => left };
}

test("a daemon with a VM stays, however quiet it is", async () => {
  const { left } = watched();
  await vi.advanceTimersByTimeAsync(LINGER_MS * 10);
  expect(left()).toBe(false);
});

test("without a VM it leaves when nobody calls for a while", async () => {
  const { lifetime, left } = watched();
  lifetime.vmGone();
  await vi.advanceTimersByTimeAsync(LINGER_MS - 1);
  expect(left()).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(left()).toBe(true);
});

test("a call puts that off, and one that lasts keeps it", async () => {
  const { lifetime, left } = watched();
  lifetime.vmGone();
  await vi.advanceTimersByTimeAsync(LINGER_MS - 1);
  let answer = (): void => {};
  const call = lifetime.during(
    () =>
      new Promise<void>((resolve) => {
        answer = resolve;
      }),
  );
  await vi.advanceTimersByTimeAsync(LINGER_MS * 3);
  expect(left()).toBe(false);
  answer();
  await call;
  await vi.advanceTimersByTimeAsync(LINGER_MS - 1);
  expect(left()).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(left()).toBe(true);
});

test("a daemon that nobody ever calls gives up", async () => {
  const { lifetime, left } = watched();
  lifetime.endUnlessCalled(1000);
  await vi.advanceTimersByTimeAsync(1000);
  expect(left()).toBe(true);
});
