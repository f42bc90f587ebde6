import { expect, test } from "vitest";
import { next } from "./state.ts";

test("a container goes from created to running to stopped", () => {
  expect(next("c", "created", "start")).toBe("running");
  expect(next("c", "running", "exec")).toBe("running");
  expect(next("c", "running", "exit")).toBe("stopped");
});

test("what the state does not allow is refused with both states named", () => {
  expect(() => next("c", "running", "start")).toThrow("cannot start container c: it is running, not created");
  expect(() => next("c", "stopped", "exec")).toThrow(
    "cannot exec container c: it is stopped, not created or running or paused",
  );
});

test("a container that never started can end", () => {
  expect(next("c", "created", "exit")).toBe("stopped");
});
