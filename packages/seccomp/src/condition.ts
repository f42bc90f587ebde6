import type { SeccompArg } from "@kata-containers/oci";
import { lookUp, refuse } from "./refuse.ts";

/** "(argument `index` & mask) TEST value", or its contrary: six operators are two tests each with a contrary. */
export type Condition = {
  readonly index: number;
  readonly test: Test;
  readonly negated: boolean;
  readonly value: bigint;
  readonly mask: bigint;
  /** The rank of its operator in libseccomp's order of rules (rule-order.ts). */
  readonly rank: number;
};

export type Test = "==" | "masked ==" | ">" | ">=";

const MAX_ARGS = 6;
const ALL_BITS = (1n << 64n) - 1n;

type Operator = { readonly test: Test; readonly negated: boolean; readonly rank: number };

const OPERATORS: Readonly<Record<string, Operator>> = {
  SCMP_CMP_NE: { test: "==", negated: true, rank: 3 },
  SCMP_CMP_LT: { test: ">=", negated: true, rank: 2 },
  SCMP_CMP_LE: { test: ">", negated: true, rank: 2 },
  SCMP_CMP_EQ: { test: "==", negated: false, rank: 3 },
  SCMP_CMP_GE: { test: ">=", negated: false, rank: 1 },
  SCMP_CMP_GT: { test: ">", negated: false, rank: 1 },
  SCMP_CMP_MASKED_EQ: { test: "masked ==", negated: false, rank: 3 },
};

/** Throws InvalidArgument naming the member of `path` that no filter can have. */
export function parseCondition(arg: SeccompArg, path: string): Condition {
  if (!Number.isInteger(arg.index) || arg.index < 0 || arg.index >= MAX_ARGS) {
    refuse(`${path}.index`, `must be an integer from 0 to ${MAX_ARGS - 1}`);
  }
  const operator = lookUp(OPERATORS, arg.op, `${path}.op`);
  const value = unsigned64(arg.value, `${path}.value`);
  const valueTwo = unsigned64(arg.valueTwo ?? 0, `${path}.valueTwo`);
  return operator.test === "masked =="
    ? { index: arg.index, ...operator, mask: value, value: valueTwo & value }
    : { index: arg.index, ...operator, mask: ALL_BITS, value };
}

function unsigned64(value: number | bigint, path: string): bigint {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    refuse(path, "must be an integer; past 2^53 - 1 a bigint");
  }
  const big = BigInt(value);
  return big >= 0n && big <= ALL_BITS ? big : refuse(path, "must be an unsigned 64-bit integer");
}
