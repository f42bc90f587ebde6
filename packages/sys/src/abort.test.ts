import { expect, test } from "vitest";
import { AbortControllerPolyfill } from "./abort.ts";

test("an abort calls each listener once, and the first reason stays", () => {
  const controller = new AbortControllerPolyfill();
  const calls: string[] = [];
  const removed = () => void calls.push("removed");
  controller.signal.addEventListener("abort", () => void calls.push("kept"));
  controller.signal.addEventListener("abort", removed);
  controller.signal.removeEventListener("abort", removed);
  controller.signal.throwIfAborted();
  controller.abort(new Error("first"));
  controller.abort(new Error("second"));
  expect(calls).toEqual(["kept"]);
  expect(controller.signal.aborted).toBe(true);
  expect(() => controller.signal.throwIfAborted()).toThrow("first");
});
