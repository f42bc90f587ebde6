import { expect, it, vi } from "vitest";
import { withLists } from "./apt.mjs";

it("what apt's lists do not bring is tried once more with new ones, and its second error is told", () => {
  const update = vi.fn();
  expect(withLists(() => "at once", update)).toBe("at once");
  expect(update).not.toHaveBeenCalled();
  let tries = 0;
  const second = () => {
    tries += 1;
    if (tries === 1) throw new Error("404");
    return "then";
  };
  expect(withLists(second, update)).toBe("then");
  expect(update).toHaveBeenCalledTimes(1);
  const never = () => {
    throw new Error("still");
  };
  expect(() => withLists(never, update)).toThrow("still");
});
