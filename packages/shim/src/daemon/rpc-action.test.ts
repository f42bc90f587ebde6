import { Task } from "@kata-containers/protocols";
import { expect, test } from "vitest";
import { actionOf } from "./rpc-action.ts";

test("methods of the Task service have the names of Kata's documentation", () => {
  const { CloseIO, ResizePty, State } = Task;
  expect([CloseIO, ResizePty, State].map(actionOf)).toEqual(["close_io", "resize_pty", "state"]);
});
