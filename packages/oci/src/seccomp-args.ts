/** Strings first, so that no digits inside one are taken for a number. */
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;
const INTEGER = /^\d+$/;

/**
 * Gives the arguments of linux.seccomp that JSON.parse has rounded their exact values, as bigints: masks such as
 * 0xffffffffffffffff are past 2^53 - 1. Costs nothing to a document without such a value.
 *
 * @param spec what JSON.parse made of `text`; changed in place
 */
export function restoreSeccompArgs(spec: unknown, text: string): void {
  const rounded = seccompArgs(spec).some((arg) => isRounded(arg.value) || isRounded(arg.valueTwo));
  if (!rounded) return;
  // The same document with its large integers as strings: what stands where a rounded number stood is its text.
  const exact: unknown = JSON.parse(text.replace(STRING_OR_NUMBER, quoteLarge));
  const args = seccompArgs(spec);
  for (const [at, theirs] of seccompArgs(exact).entries()) {
    const arg = args[at];
    if (arg === undefined) continue;
    for (const key of ["value", "valueTwo"] as const) {
      const digits = theirs[key];
      if (isRounded(arg[key]) && typeof digits === "string") arg[key] = BigInt(digits);
    }
  }
}

function quoteLarge(token: string): string {
  return INTEGER.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token;
}

function isRounded(value: unknown): boolean {
  return typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
}

/** Every entry of linux.seccomp.syscalls[].args that is an object, in order. */
function seccompArgs(spec: unknown): Record<string, unknown>[] {
  const syscalls = member(member(member(spec, "linux"), "seccomp"), "syscalls");
  return list(syscalls)
    .flatMap((entry) => list(member(entry, "args")))
    .filter(isObject);
}

function member(value: unknown, key: string): unknown {
  return isObject(value) ? value[key] : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
