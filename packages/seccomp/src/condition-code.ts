import { BPF, type BpfProgram, type Label } from "./bpf-program.ts";
import type { Condition } from "./condition.ts";

/** offsetof(struct seccomp_data, args), linux/seccomp.h; the low word of an argument comes first (little-endian). */
const ARGS = 16;
const ARG_SIZE = 8;
const HIGH = 4;

/** Code that goes on at `pass` when the condition holds, else at `fail`. */
export function conditionCode(
  program: BpfProgram,
  condition: Condition,
  bits: 32 | 64,
  pass: Label,
  fail: Label,
): Label {
  const [yes, no] = condition.negated ? [fail, pass] : [pass, fail];
  const offset = ARGS + condition.index * ARG_SIZE;
  const low = lowWordCode(program, condition, offset, yes, no);
  return bits === 32 ? low : highWordCode(program, condition, offset + HIGH, low, yes, no);
}

function lowWordCode(program: BpfProgram, condition: Condition, offset: number, yes: Label, no: Label) {
  const value = low(condition.value);
  switch (condition.test) {
    case ">":
      return program.load(offset, program.branch(BPF.IF_GREATER, value, yes, no));
    case ">=":
      return program.load(offset, program.branch(BPF.IF_GREATER_OR_EQUAL, value, yes, no));
    default:
      return equalCode(program, offset, low(condition.mask), value, yes, no);
  }
}

/** The high words decide, unless they are equal: then the low ones do. */
function highWordCode(
  program: BpfProgram,
  condition: Condition,
  offset: number,
  lowCode: Label,
  yes: Label,
  no: Label,
) {
  const value = high(condition.value);
  if (condition.test !== ">" && condition.test !== ">=") {
    return equalCode(program, offset, high(condition.mask), value, lowCode, no);
  }
  const notGreater = program.branch(BPF.IF_EQUAL, value, lowCode, no);
  return program.load(offset, program.branch(BPF.IF_GREATER, value, yes, notGreater));
}

function equalCode(program: BpfProgram, offset: number, mask: number, value: number, yes: Label, no: Label) {
  if (mask === 0) {
    return yes;
  }
  const test = program.branch(BPF.IF_EQUAL, value, yes, no);
  return program.load(offset, mask === 0xffffffff ? test : program.and(mask, test));
}

export function low(value: bigint): number {
  return Number(value & 0xffffffffn);
}

export function high(value: bigint): number {
  return Number(value >> 32n);
}
