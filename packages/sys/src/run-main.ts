import { ops } from "./ops.ts";
import { describeError } from "./stack.ts";

declare global {
  /** Called by the engine with the reason of a promise that was rejected and that nobody waits for. */
  var __unhandledRejection: ((reason: unknown) => void) | undefined;
}

/** Exit status of a program that broke: EX_SOFTWARE of sysexits.h. */
export const EXIT_BROKEN = 70;

/**
 * A program's entry. Runs `main` with argv ([0] = the program's name) and exits with the status it returns.
 * An error that `main` lets through, and a rejected promise that nobody handles, are defects: they are printed with
 * TypeScript positions, and the status is 70.
 */
export function runMain(main: (argv: readonly string[]) => Promise<number>): void {
  globalThis.__unhandledRejection = broken;
  start(main).then((status) => ops.exit(status), broken);
}

/** An async function, so that what `main` throws before its first await is caught as well. */
async function start(main: (argv: readonly string[]) => Promise<number>): Promise<number> {
  return await main(ops.args());
}

function broken(error: unknown): void {
  const name = ops.args()[0] ?? "kata";
  try {
    ops.writeSync(2, ops.utf8Encode(`${name}: ${describeError(error)}\n`));
  } finally {
    ops.exit(EXIT_BROKEN);
  }
}
