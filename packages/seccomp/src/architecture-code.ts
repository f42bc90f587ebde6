import { ERRNO_ENOSYS, KILL_THREAD, type Verdict } from "./action.ts";
import { AUDIT_ARCH_X86_64, X32_SYSCALL_BIT } from "./architecture.ts";
import type { BpfProgram, Label } from "./bpf-program.ts";
import { conditionCode } from "./condition-code.ts";
import { NumberRanges } from "./number-ranges.ts";
import type { Rule } from "./rule.ts";
import type { RuleTable } from "./rule-table.ts";

/** offsetof(struct seccomp_data, nr), linux/seccomp.h */
const NR = 0;
const MAX_NUMBER = 0xffffffff;

/** libseccomp's default for calls of an architecture that the filter does not have (SCMP_FLTATR_ACT_BADARCH). */
export const BAD_ARCHITECTURE: Verdict = KILL_THREAD;

/**
 * Code for the calls of one audit architecture: one table, or those of x86_64 and x32.
 * @param enosys calls newer than any the profile names get ENOSYS, not the default verdict
 */
export function architectureCode(
  program: BpfProgram,
  tables: readonly RuleTable[],
  defaultVerdict: Verdict,
  enosys: boolean,
): Label {
  const ranges = new NumberRanges(program.returns(defaultVerdict));
  const x32 = tables.some((table) => table.architecture.numberBase === X32_SYSCALL_BIT);
  if (tables[0]?.architecture.audit === AUDIT_ARCH_X86_64 && !x32) {
    // -1 stays with the default: it is how a tracer skips a call (seccomp(2)).
    ranges.set(X32_SYSCALL_BIT, MAX_NUMBER - 1, program.returns(BAD_ARCHITECTURE));
  }
  for (const table of enosys ? tables : []) {
    setEnosys(ranges, table, program.returns(ERRNO_ENOSYS));
  }
  const chains = new Map<string, Label>();
  for (const table of tables) {
    table.forEach((number, rules) => {
      const target =
        typeof rules === "number"
          ? program.returns(rules)
          : rulesCode(program, rules, table.architecture.bits, defaultVerdict, chains);
      ranges.setLone(number, target);
    });
  }
  return program.load(NR, ranges.code(program));
}

/**
 * What runc's patchbpf does: programs try new calls and fall back on ENOSYS alone, so calls newer than the profile must
 * not get its EPERM. On x86 the convention is told by bit 30, so that each has two ranges of numbers.
 */
function setEnosys(ranges: NumberRanges, table: RuleTable, target: Label): void {
  const { newest, architecture } = table;
  if (newest === 0) {
    return;
  }
  if (architecture.audit !== AUDIT_ARCH_X86_64) {
    ranges.set(newest + 1, MAX_NUMBER, target);
    return;
  }
  const base = architecture.numberBase;
  ranges.set(newest + 1, base + X32_SYSCALL_BIT - 1, target);
  ranges.set(base + 0x80000000, base + 0x80000000 + X32_SYSCALL_BIT - 1, target);
}

/** Tries the rules in turn. Calls with the same rules share the code. */
function rulesCode(
  program: BpfProgram,
  rules: readonly Rule[],
  bits: 32 | 64,
  defaultVerdict: Verdict,
  written: Map<string, Label>,
): Label {
  const key = `${bits} ${rules.map(ruleKey).join(" ")}`;
  let code = written.get(key) ?? program.returns(defaultVerdict);
  if (!written.has(key)) {
    for (const rule of [...rules].reverse()) {
      code = ruleCode(program, rule, bits, code);
    }
    written.set(key, code);
  }
  return code;
}

function ruleKey({ conditions, verdict }: Rule): string {
  const tests = conditions.map((c) => `${c.index}${c.negated ? "!" : ""}${c.test}${c.value}/${c.mask}`);
  return `${tests.join("&")}=>${verdict}`;
}

function ruleCode(program: BpfProgram, rule: Rule, bits: 32 | 64, otherwise: Label): Label {
  let code = program.returns(rule.verdict);
  for (const condition of [...rule.conditions].reverse()) {
    code = conditionCode(program, condition, bits, code, otherwise);
  }
  return code;
}
