import { type BpfInstruction, bpfWords, BPF_OP as OP } from "@kata-containers/sys";
import type { DeviceAccess } from "./device-rules.ts";

/** struct bpf_cgroup_dev_ctx: access_type, major, minor; each 32 bits (linux/bpf.h). */
const CONTEXT = { access_type: 0, major: 4, minor: 8 };
/** BPF_DEVCG_DEV_*, the lower half of access_type. */
const TYPE = { b: 1, c: 2 };
/** BPF_DEVCG_ACC_*, the upper half. */
const ACCESS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const EVERY_ACCESS = 7;

/** Registers: the result, the context, and what is read from it. `left` is the access asked for and not yet allowed. */
const R = { result: 0, context: 1, type: 2, left: 3, major: 4, minor: 5 };

type Label = "next" | "allow" | "deny";
type Instruction = BpfInstruction & { readonly jump?: Label };

const load = (to: number, offset: number): Instruction => ({ op: OP.LOAD, to, from: R.context, offset });

/** Sets type, left, major and minor. */
const PROLOGUE: readonly Instruction[] = [
  load(R.type, CONTEXT.access_type),
  { op: OP.MOVE, to: R.left, from: R.type },
  { op: OP.SHIFT_RIGHT, to: R.left, number: 16 },
  { op: OP.AND, to: R.type, number: 0xffff },
  load(R.major, CONTEXT.major),
  load(R.minor, CONTEXT.minor),
];

const EPILOGUE: readonly Instruction[] = [
  { op: OP.MOVE_NUMBER, to: R.result, number: 0 },
  { op: OP.EXIT },
  { op: OP.MOVE_NUMBER, to: R.result, number: 1 },
  { op: OP.EXIT },
];

/**
 * Device rules as a program of type BPF_PROG_TYPE_CGROUP_DEVICE, for cgroup v2; undefined when they allow everything.
 *
 * It looks at the rules from the last to the first. One that denies any access that is left denies the request; one that allows
 * takes its share of what is left, and the request is allowed when nothing is. At the end: denied.
 *
 * @param rules in order of validity, the last wins
 * @returns instructions as two 32-bit words each (little-endian struct bpf_insn)
 */
export function deviceFilter(rules: readonly DeviceAccess[]): number[] | undefined {
  const needed = withoutShadowed(rules).reverse();
  // What nothing fits is denied anyway.
  if (needed.at(-1)?.type === "a" && needed.at(-1)?.allow === false) needed.pop();
  else if (needed.every(({ allow }) => allow)) return undefined;
  const code: Instruction[] = [...PROLOGUE];
  const jumps = needed.map(ruleInstructions);
  const end = PROLOGUE.length + jumps.reduce((sum, rule) => sum + rule.length, 0);
  for (const rule of jumps) {
    const next = code.length + rule.length;
    const target = { next, deny: end, allow: end + 2 };
    for (const one of rule) {
      code.push(one.jump === undefined ? one : { ...one, offset: target[one.jump] - code.length - 1 });
    }
  }
  return [...code, ...EPILOGUE].flatMap(bpfWords);
}

function ruleInstructions({ allow, type, major, minor, access }: DeviceAccess): Instruction[] {
  const mask = type === "a" ? EVERY_ACCESS : accessMask(access);
  const unless = (to: number, number: number | undefined): Instruction[] =>
    number === undefined ? [] : [{ op: OP.JUMP_NOT_EQUAL, to, number, jump: "next" }];
  return [
    ...unless(R.type, type === "a" ? undefined : TYPE[type]),
    ...unless(R.major, major),
    ...unless(R.minor, minor),
    ...(mask === EVERY_ACCESS
      ? [{ op: OP.JUMP, jump: allow ? "allow" : "deny" } as const]
      : allow
        ? [
            { op: OP.AND, to: R.left, number: EVERY_ACCESS & ~mask },
            { op: OP.JUMP_EQUAL, to: R.left, number: 0, jump: "allow" } as const,
          ]
        : [{ op: OP.JUMP_ANY_BIT, to: R.left, number: mask, jump: "deny" } as const]),
  ];
}

/** Leaves out rules that a later one overrides for every device and access of theirs. */
function withoutShadowed(rules: readonly DeviceAccess[]): DeviceAccess[] {
  return rules.filter((rule, index) => !rules.slice(index + 1).some((later) => covers(later, rule)));
}

function covers(later: DeviceAccess, rule: DeviceAccess): boolean {
  if (later.type === "a") return true;
  return (
    later.type === rule.type &&
    (later.major === undefined || later.major === rule.major) &&
    (later.minor === undefined || later.minor === rule.minor) &&
    (accessMask(rule.access) & ~accessMask(later.access)) === 0
  );
}

function accessMask(access: string): number {
  return [...access].reduce((mask, letter) => mask | (ACCESS[letter] ?? 0), 0);
}
