import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Deadlines } from "./deadlines.ts";
import { useNodeOps } from "./testing/fixture.ts";

describe("deadlines", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    useNodeOps();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function entries(deadlines: Deadlines, times: readonly number[]) {
    const expired: number[] = [];
    const made = times.map((ms) => ({ deadline: 0, expire: () => expired.push(ms) }));
    made.forEach((entry, index) => {
      deadlines.add(entry, times[index] ?? 0);
    });
    return { expired, made };
  }

  it("expire each at its time, in whatever order they came", () => {
    const { expired } = entries(new Deadlines(), [300, 100, 200, 100]);
    vi.advanceTimersByTime(99);
    expect(expired).toEqual([]);
    vi.advanceTimersByTime(2);
    expect(expired).toEqual([100, 100]);
    vi.advanceTimersByTime(200);
    expect(expired).toEqual([100, 100, 200, 300]);
  });

  it("do not expire once deleted or cleared, and take no more than one timer", () => {
    const deadlines = new Deadlines();
    const { expired, made } = entries(deadlines, [100, 100, 500]);
    expect(vi.getTimerCount()).toBe(1);
    if (made[0]) deadlines.delete(made[0]);
    vi.advanceTimersByTime(101);
    expect(expired).toEqual([100]);
    deadlines.clear();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(1000);
    expect(expired).toEqual([100]);
  });
});
