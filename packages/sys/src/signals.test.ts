import { expect, test } from "vitest";
import { SIG, signalName, signalNumber } from "./signals.ts";

test("every signal's name leads to its number and back", () => {
  for (const [name, number] of Object.entries(SIG)) {
    expect(signalNumber(name)).toBe(number);
    expect(signalName(number)).toBe(name);
  }
});

test("signals are named as people write them", () => {
  expect(signalNumber("term")).toBe(15);
  expect(signalNumber("KILL")).toBe(9);
  expect(signalNumber("9")).toBe(9);
  expect(signalNumber("SIGRTMIN+3")).toBe(37);
  expect(signalNumber("rtmax-1")).toBe(63);
  expect(signalNumber("RTMIN")).toBe(34);
});

test("what is no signal is none", () => {
  for (const text of ["", "0", "65", "-1", "SIGNONE", "SIGRTMIN+31", "SIGRTMAX+1", "1e1", "toString"]) {
    expect(signalNumber(text), text).toBeUndefined();
  }
  expect(signalName(99)).toBe("signal 99");
  expect(signalName(36)).toBe("SIGRTMIN+2");
});
