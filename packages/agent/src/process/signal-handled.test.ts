import { expect, test } from "vitest";
import { isSignalHandled } from "./signal-handled.ts";

const status = "Name:\tsleep\nSigIgn:\t0000000000000000\nSigCgt:\t0000000180004002\n";

test("a caught signal is found in the mask", () => {
  expect(isSignalHandled(status, 15)).toBe(true);
  expect(isSignalHandled(status, 2)).toBe(true);
  expect(isSignalHandled(status, 33)).toBe(true);
});

test("a signal that is not caught is not", () => {
  expect(isSignalHandled(status, 1)).toBe(false);
  expect(isSignalHandled(status, 64)).toBe(false);
});

test("a process that is gone catches nothing", () => {
  expect(isSignalHandled("", 15)).toBe(false);
});
