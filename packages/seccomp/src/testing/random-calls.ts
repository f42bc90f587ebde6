import type { Seccomp } from "@kata-containers/oci";
import type { Call } from "./bpf-interpreter.ts";

const ARCHS = [0xc000003e, 0x40000003, 0xc00000b7, 0x40000028, 0];
const NUMBER_EDGES = [
  0, 1, 511, 512, 547, 1000, 0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0xbfffffff, 0xc0000000,
  0xfffffffe, 0xffffffff,
];
const WORD = 0xffffffffn;

/** Numbers below a bound, the same for the same seed (mulberry32). */
export function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

/** Calls likely to meet a profile's rules: its values and their neighbours, numbers at the edges of every range. */
export function* randomCalls(
  seccomp: Seccomp,
  numbers: readonly number[],
  count: number,
  seed: number,
): Generator<Call> {
  const next = random(seed);
  const pick = <T>(from: readonly [T, ...T[]] | readonly T[]): T => {
    const one = from[next(from.length)];
    if (one === undefined) {
      throw new Error("nothing to pick from");
    }
    return one;
  };
  const values = [0n, 1n, ...(seccomp.syscalls ?? []).flatMap(({ args = [] }) => args.flatMap(valuesOf))];
  const value = () => mutate(pick(values), next);
  const number = () => {
    const plain =
      next(3) === 0 ? next(600) : next(4) === 0 ? pick(NUMBER_EDGES) : pick([0, ...numbers]) + next(3) - 1;
    return (plain + pick([0, 0, 0x40000000, 0x80000000])) >>> 0;
  };
  for (let made = 0; made < count; made += 1) {
    const arch = pick(ARCHS.slice(0, next(4) === 0 ? 5 : 3));
    yield { number: number(), arch, args: [value(), value(), value(), value(), value(), value()] };
  }
}

function valuesOf(arg: { readonly value: number | bigint; readonly valueTwo?: number | bigint }): bigint[] {
  return [BigInt(arg.value), BigInt(arg.valueTwo ?? 0)];
}

/** A value as it is, beside it, with one half changed, with a bit turned, or another. */
function mutate(value: bigint, next: (below: number) => number): bigint {
  const word = BigInt(next(0x100000000));
  const changed = [
    value,
    value,
    value + 1n,
    value - 1n,
    value ^ (1n << BigInt(next(64))),
    (value & WORD) | (word << 32n),
    (value & (WORD << 32n)) | word,
    value + (1n << 32n),
    value - (1n << 32n),
    (word << 32n) | BigInt(next(0x100000000)),
  ][next(10)];
  return BigInt.asUintN(64, changed ?? value);
}
