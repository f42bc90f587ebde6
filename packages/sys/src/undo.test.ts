import { expect, test } from "vitest";
import { Undo } from "./undo.ts";

test("releases run in reverse order at the end of the block", async () => {
  const order: string[] = [];
  {
    await using undo = new Undo();
    undo.defer(() => void order.push("first"));
    undo.defer(async () => void order.push("second"));
    undo.use({ [Symbol.dispose]: () => void order.push("disposable") });
    undo.use({ [Symbol.asyncDispose]: async () => void order.push("async disposable") });
  }
  expect(order).toEqual(["async disposable", "disposable", "second", "first"]);
});

test("what is committed stays", async () => {
  const undo = new Undo();
  undo.defer(() => expect.unreachable());
  undo.commit();
  await undo.run();
});

test("what is moved is the new stack's", async () => {
  const order: string[] = [];
  const undo = new Undo();
  undo.defer(() => void order.push("released"));
  const moved = undo.move();
  await undo.run();
  expect(order).toEqual([]);
  await moved.run();
  expect(order).toEqual(["released"]);
});

test("a release that fails does not keep the others from running", async () => {
  const order: string[] = [];
  const undo = new Undo();
  undo.defer(() => void order.push("last"));
  undo.defer(() => {
    throw new Error("one");
  });
  await expect(undo.run()).rejects.toThrow("one");
  expect(order).toEqual(["last"]);
  undo.defer(() => Promise.reject(new Error("one")));
  undo.defer(() => Promise.reject(new Error("two")));
  await expect(undo.run()).rejects.toThrow("Error: two; Error: one");
});
