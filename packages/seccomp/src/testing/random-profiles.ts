import type { Seccomp, SeccompSyscall } from "@kata-containers/oci";
import fc from "fast-check";

const NAMES =
  "read write openat ioctl socket accept4 semop shmctl clone futex recvmsg mmap statx no_such_call".split(
    " ",
  );
/** Names that x86_64 lacks. */
const MULTIPLEXERS = ["socketcall", "ipc"];
const FOREIGN_NAMES = ["send", "chown32", "arm_fadvise64_64", ...MULTIPLEXERS];
const EQUALITIES = ["SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"];
const OPERATORS = [...EQUALITIES, "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_GE", "SCMP_CMP_GT"];

const value = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 3n, 0xffffffffn, 0x1_00000000n, 0x1_00000001n, 0xffffffff_ffffffffn),
  fc.bigInt(0n, 0xffffffff_ffffffffn),
);
const action = fc.constantFrom(
  "SCMP_ACT_ALLOW",
  "SCMP_ACT_ERRNO",
  "SCMP_ACT_TRAP",
  "SCMP_ACT_KILL_PROCESS",
  "SCMP_ACT_LOG",
  "SCMP_ACT_TRACE",
);

/**
 * How the rules for one call of a random profile may differ.
 * - "any operator": not in their action, so that every order of rules comes to the same;
 * - "one bound": likewise, and a rule with NE, LT, LE, GE or GT is the only one for its calls: libseccomp (2.5.4) packs
 *   several into one node of its tree and forgets some ({arg 0 LT 0} and {arg 0 LT 2^32} together match nothing);
 * - "actions": in their actions, with equalities alone.
 */
export type Variety = "any operator" | "one bound" | "actions";

/** A profile of a few calls with many rules for each, so that they overlap. */
export function profile(variety: Variety): fc.Arbitrary<Seccomp> {
  const op = fc.constantFrom(...(variety === "actions" ? EQUALITIES : OPERATORS));
  const arg = fc.record({
    index: fc.integer({ min: 0, max: variety === "actions" ? 2 : 5 }),
    value,
    valueTwo: value,
    op,
  });
  const rule = fc.record({
    names: fc.uniqueArray(fc.constantFrom(...NAMES, ...FOREIGN_NAMES), { minLength: 1, maxLength: 4 }),
    action,
    args: fc.array(arg, { maxLength: 3 }),
  });
  return fc
    .record({
      defaultAction: action,
      ruleAction: action,
      architectures: fc.subarray(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]),
      syscalls: fc.array(rule, { maxLength: 8 }),
    })
    .map(({ ruleAction, syscalls, ...rest }) => {
      const agreeing = syscalls.map((one) => ({ ...one, action: ruleAction }));
      const byVariety = { "any operator": agreeing, "one bound": oneBound(agreeing), actions: syscalls };
      return { ...rest, syscalls: byVariety[variety] };
    });
}

/** Gives each call that an entry has bounds for to that entry alone, and takes all but one condition of an argument from it. */
function oneBound(syscalls: readonly SeccompSyscall[]): readonly SeccompSyscall[] {
  const taken = new Set<string>();
  const bounded = syscalls.filter((entry) => entry.args?.some((arg) => !EQUALITIES.includes(arg.op)));
  const reduced = bounded.map((entry) => {
    const names = entry.names.filter((name) => !taken.has(name) && !MULTIPLEXERS.includes(name));
    for (const name of names) {
      taken.add(name);
    }
    const args = entry.args?.filter((arg, at, all) => all.findIndex((one) => one.index === arg.index) === at);
    return { ...entry, names, args: args ?? [] };
  });
  const others = syscalls.filter((entry) => !bounded.includes(entry));
  const rest = others.map((entry) => ({ ...entry, names: entry.names.filter((name) => !taken.has(name)) }));
  return [...reduced, ...rest];
}
