import { expect, test } from "vitest";
import { BPF, BpfProgram, type Label } from "./bpf-program.ts";
import { checkFilter, runFilter } from "./testing/bpf-interpreter.ts";

const call = (number: number) => ({ number, arch: 0, args: [] });

/** Tests the call's number against each of `count` ones in turn, and returns the number it met. */
function ladder(count: number): Uint8Array {
  const program = new BpfProgram();
  // Both ends lie beyond every ladder of 255.
  const met: Label[] = Array.from({ length: count }, (_, at) => program.returns(1000 + at));
  let code = program.returns(7);
  for (const [at, label] of [...met.entries()].reverse()) {
    code = program.branch(BPF.IF_EQUAL, at, label, code);
  }
  return program.bytes(program.load(0, code));
}

test.each([1, 2, 100, 254, 255, 256, 257, 300, 900])("jumps over %i instructions arrive", (count) => {
  const program = ladder(count);
  checkFilter(program);
  for (let number = 0; number < count; number += 1) {
    expect(runFilter(program, call(number))).toBe(1000 + number);
  }
  expect(runFilter(program, call(count))).toBe(7);
});

test("jumps too far to instructions that do not return go by way of another", () => {
  const program = new BpfProgram();
  const masked = program.load(
    0,
    program.and(1, program.branch(BPF.IF_EQUAL, 1, program.returns(11), program.returns(10))),
  );
  let code = program.returns(0);
  for (let number = 600; number > 0; number -= 1) {
    code = program.branch(BPF.IF_GREATER, 0xffff0000 + number, masked, code);
  }
  code = program.branch(BPF.IF_GREATER, 0x7fffffff, code, masked);
  const bytes = program.bytes(program.load(0, code));
  checkFilter(bytes);
  expect([4, 5, 0x80000000, 0xffff0100, 0xffffffff].map((number) => runFilter(bytes, call(number)))).toEqual([
    10, 11, 0, 10, 11,
  ]);
});

test.each([false, true])(
  "a jump reaches its target at every distance about the longest (swapped: %s)",
  (swapped) => {
    for (let between = 240; between < 262; between += 1) {
      const program = new BpfProgram();
      const elsewhere = program.returns(9);
      // Not a return, which would be copied.
      const ofBit = (bit: number) =>
        program.load(0, program.and(bit, program.branch(BPF.IF_EQUAL, bit, program.returns(bit), elsewhere)));
      const [two, one] = [ofBit(2), ofBit(1)];
      let near = elsewhere;
      for (let number = 0; number < between; number += 1) {
        near = program.branch(BPF.IF_EQUAL, 0xffff0000 + number, program.returns(8), near);
      }
      const code = program.branch(BPF.IF_GREATER, 0xff, swapped ? one : two, swapped ? two : one);
      const bytes = program.bytes(program.load(0, program.branch(BPF.IF_EQUAL, 0x203, near, code)));
      checkFilter(bytes);
      const verdicts = [1, 2, 0x101, 0x102, 0x203].map((number) => runFilter(bytes, call(number)));
      expect(verdicts).toEqual(swapped ? [9, 2, 1, 9, 9] : [1, 9, 9, 2, 9]);
    }
  },
);
