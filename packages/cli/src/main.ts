import { isSuppressedError, isSysError, KataError } from "@kata-containers/sys";
import type { AnyCommand } from "./command.ts";
import { dispatch } from "./dispatch.ts";
import { type Globals, globalOptions, PROGRAM, readGlobals, readLogOptions } from "./globals.ts";
import { kataRuntime } from "./kata-runtime.ts";
import { readableOptions } from "./parse-arguments.ts";
import { checkLog, type ErrorLog, reportError } from "./report-error.ts";
import { renderVersion } from "./version.ts";

/**
 * kata-runtime.
 * @param argv [0] is the program's name
 * @param commands the command table
 * @returns the exit status: 1 for every error; `run` and `exec` have more
 */
export async function main(
  argv: readonly string[],
  commands: readonly AnyCommand<Globals>[],
): Promise<number> {
  let errorLog: ErrorLog | undefined;
  try {
    return await dispatch(argv, kataRuntime(commands), renderVersion, (options) => {
      const globals = readGlobals(options);
      checkLog(globals);
      errorLog = globals;
      return globals;
    });
  } catch (error) {
    if (!(error instanceof KataError) && !isSysError(error) && !isSuppressedError(error)) throw error;
    reportError(errorLog ?? namedLog(argv), KataError.from(error).message);
    return 1;
  }
}

/** The log that global options name some of which are wrong; none, when it cannot be written. */
function namedLog(argv: readonly string[]): ErrorLog {
  const named = readLogOptions(readableOptions(argv.slice(1), globalOptions, PROGRAM));
  try {
    checkLog(named);
    return named;
  } catch {
    return { ...named, log: undefined };
  }
}
