import { expect, test, vi } from "vitest";
import { deadline } from "./deadline.ts";
import { sleep } from "./sleep.ts";

test("a deadline gives the outcome that comes in time", async () => {
  await expect(deadline(Promise.resolve(1), 1000, () => new Error("late"))).resolves.toBe(1);
  await expect(deadline(Promise.reject(new Error("own")), 1000, () => new Error("late"))).rejects.toThrow(
    "own",
  );
});

test("a deadline gives its error when time is up", async () => {
  vi.useFakeTimers();
  const outcome = expect(deadline(new Promise(() => {}), 50, () => new Error("late"))).rejects.toThrow(
    "late",
  );
  vi.advanceTimersByTime(50);
  await outcome;
  vi.useRealTimers();
});

test("a sleep ends at its time, or at once with the reason of its abort", async () => {
  vi.useFakeTimers();
  const slept = sleep(50);
  vi.advanceTimersByTime(50);
  await slept;
  const controller = new AbortController();
  const aborted = expect(sleep(50, controller.signal)).rejects.toThrow("enough");
  controller.abort(new Error("enough"));
  await aborted;
  await expect(sleep(50, controller.signal)).rejects.toThrow("enough");
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});
