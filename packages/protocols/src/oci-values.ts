/** getrlimit(2): no limit. */
export const RLIM_INFINITY = (1n << 64n) - 1n;

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** A limit as a number; past 2^53 - 1 it is none: -1. */
export function numberOrNone(limit: bigint): number {
  return limit > MAX_SAFE ? -1 : Number(limit);
}

/** An amount as a number, at most 2^53 - 1. */
export function numberAtMost(amount: bigint): number {
  return Number(amount > MAX_SAFE ? MAX_SAFE : amount);
}

/**
 * The members that say something: proto3 cannot tell a default from a missing member, so defaults (undefined, "", 0, false,
 * an empty list) are left out.
 */
export function given<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> };
export function given(members: object): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => says(value)));
}

function says(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}
