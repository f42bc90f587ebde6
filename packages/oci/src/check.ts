import { KataError } from "@kata-containers/sys";

/** Where in a document a value stands; turned into text only when something is wrong there. */
export type Place = { readonly parent: Place | undefined; readonly key: string | number };

/** Tells whether a value parsed from JSON is a T; throws KataError InvalidArgument naming the place when it is not. */
export type Check<T> = {
  readonly test: (value: unknown, at: Place) => value is T;
  readonly optional?: boolean;
};

/** A check for each member of T, none forgotten: the compiler compares the table with the type. */
export type Members<T> = {
  readonly [K in keyof T]-?: Check<Exclude<T[K], undefined>>;
};

/** "config.json: process.args[2]". */
export function placeText(at: Place): string {
  let path = "";
  let place = at;
  while (place.parent !== undefined) {
    path = typeof place.key === "number" ? `[${place.key}]${path}` : `.${place.key}${path}`;
    place = place.parent;
  }
  return path === "" ? `${place.key}` : `${place.key}: ${path.startsWith(".") ? path.slice(1) : path}`;
}

/** Throws InvalidArgument: "config.json: process.cwd: must be an absolute path". */
export function refuse(at: Place, why: string): never {
  throw new KataError("InvalidArgument", `${placeText(at)}: ${why}`);
}

export function child(at: Place, key: string | number): Place {
  return { parent: at, key };
}

function simple<T>(what: string, is: (value: unknown) => value is T): Check<T> {
  return { test: (value, at): value is T => is(value) || refuse(at, `must be ${what}`) };
}

const isInteger = (value: unknown): value is number => typeof value === "number" && Number.isInteger(value);

/** A string without NUL bytes: none of ours may be cut short by the kernel. */
export const text = simple(
  "a string without NUL",
  (value): value is string => typeof value === "string" && !value.includes("\0"),
);
export const bool = simple("true or false", (value): value is boolean => typeof value === "boolean");
/** A 64-bit integer; past 2^53 it has lost its last digits, which only limits ("no limit") may ignore. */
export const int = simple("an integer", isInteger);
/** A number, past 2^53 - 1 a bigint. */
export const uint64 = simple("an unsigned 64-bit integer", (value): value is number | bigint =>
  typeof value === "bigint"
    ? value >= 0n && value < 1n << 64n
    : typeof value === "number" && Number.isSafeInteger(value) && value >= 0,
);
export const uint32 = simple(
  "an unsigned 32-bit integer",
  (value): value is number => isInteger(value) && value >= 0 && value <= 0xffffffff,
);

/**
 * Whether it is the id of a user or a group. 2^32 - 1 is none: it is -1, which for setresuid(2), chown(2) and their like means "leave
 * it", and we are root (CVE-2024-40635).
 */
export function isId(value: unknown): value is number {
  return isInteger(value) && value >= 0 && value < 0xffffffff;
}
export const id = simple("an id from 0 to 4294967294", isId);

/** Seconds of a time-out: so many that milliseconds fit 31 bits. */
export const seconds = simple(
  "a number of seconds from 1 to 2147483",
  (value): value is number => isInteger(value) && value >= 1 && value <= 2147483,
);

/** A string that satisfies `rule`. */
export function textThat(what: string, rule: (value: string) => boolean): Check<string> {
  return simple(
    what,
    (value): value is string => typeof value === "string" && !value.includes("\0") && rule(value),
  );
}

export function oneOf<T extends string>(names: readonly T[]): Check<T> {
  const known: ReadonlySet<unknown> = new Set(names);
  return simple(`one of ${names.join(", ")}`, (value): value is T => known.has(value));
}

export function optional<T>(check: Check<T>): Check<T> {
  return { ...check, optional: true };
}

export function list<T>(item: Check<T>): Check<readonly T[]> {
  return {
    test(value, at): value is readonly T[] {
      if (!Array.isArray(value)) return refuse(at, "must be an array");
      return value.every((entry, index) => item.test(entry, child(at, index)));
    },
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function mapOf<T>(item: Check<T>): Check<Readonly<Record<string, T>>> {
  return {
    test(value, at): value is Readonly<Record<string, T>> {
      if (!isObject(value)) return refuse(at, "must be an object");
      return Object.entries(value).every(([key, entry]) => item.test(entry, child(at, key)));
    },
  };
}

/**
 * An object with these members. Others are let through unread, as the specification asks (config.md, "Extensibility"), and
 * a null is removed, because Go writes absent members so.
 */
export function object<T>(members: Members<T>): Check<T> {
  const checks: [string, Check<unknown>][] = Object.entries(members);
  return {
    test(value, at): value is T {
      if (!isObject(value)) return refuse(at, "must be an object");
      for (const [key, check] of checks) {
        if (value[key] === null) delete value[key];
        const member = value[key];
        if (member !== undefined) check.test(member, child(at, key));
        else if (check.optional !== true) refuse(child(at, key), "is required");
      }
      return true;
    },
  };
}
