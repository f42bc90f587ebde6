import type { Seccomp, SeccompArg, SeccompSyscall } from "@kata-containers/oci";
import { verdictOf } from "./libseccomp.ts";

/**
 * What the specification asks of a call, said anew without words, trees or programs: the verdict of any rule whose
 * conditions hold (which of several, the order of rules decides), or the default. One, where all rules have one action.
 */
export function possibleVerdicts(
  seccomp: Seccomp,
  name: string,
  args: readonly bigint[],
  bits: 32 | 64,
): ReadonlySet<number> {
  const rules = (seccomp.syscalls ?? []).filter(
    (entry) => entry.names.includes(name) && holds(entry, args, bits),
  );
  return new Set(
    rules.length === 0
      ? [verdictOf(seccomp.defaultAction, seccomp.defaultErrnoRet)]
      : rules.map((rule) => verdictOf(rule.action, rule.errnoRet)),
  );
}

function holds({ args: conditions = [] }: SeccompSyscall, args: readonly bigint[], bits: 32 | 64): boolean {
  const twice = conditions.some((a, at) => conditions.findIndex((b) => b.index === a.index) !== at);
  const test = (condition: SeccompArg) => compares(condition, args[condition.index] ?? 0n, bits);
  return twice ? conditions.some(test) : conditions.every(test);
}

function compares({ op, value, valueTwo = 0 }: SeccompArg, arg: bigint, bits: 32 | 64): boolean {
  const a = BigInt.asUintN(bits, arg);
  const b = BigInt.asUintN(bits, BigInt(value));
  const c = BigInt.asUintN(bits, BigInt(valueTwo));
  switch (op) {
    case "SCMP_CMP_NE":
      return a !== b;
    case "SCMP_CMP_LT":
      return a < b;
    case "SCMP_CMP_LE":
      return a <= b;
    case "SCMP_CMP_EQ":
      return a === b;
    case "SCMP_CMP_GE":
      return a >= b;
    case "SCMP_CMP_GT":
      return a > b;
    case "SCMP_CMP_MASKED_EQ":
      return (a & b) === (c & b);
    default:
      throw new Error(`no operator ${op}`);
  }
}
