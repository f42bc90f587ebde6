import { isSuppressedError, isSysError, KataError } from "@kata-containers/sys";
import type { AnyCommand } from "./command.ts";
import { globalOptions, readGlobals } from "./globals.ts";
import { renderHelp } from "./help.ts";
import { parseLeadingOptions } from "./parse-arguments.ts";
import { printText } from "./print.ts";
import { type ErrorLog, reportError } from "./report-error.ts";
import { renderVersion } from "./version.ts";

/**
 * kata-runtime.
 * @param argv [0] is the program's name
 * @param commands the command table
 * @returns the exit status: 1 for every error; `run` and `exec` have more
 */
export async function main(argv: readonly string[], commands: readonly AnyCommand[]): Promise<number> {
  let errorLog: ErrorLog = { log: undefined, logFormat: "text" };
  try {
    const words = argv.slice(1);
    const { options, next } = parseLeadingOptions(words, globalOptions);
    if (options.version) return show(renderVersion());
    const name = words[next];
    if (options.help || name === undefined || name === "help")
      return show(renderHelp(commands, globalOptions));
    const globals = readGlobals(options);
    errorLog = globals;
    const command = commands.find((each) => each.name === name || each.aliases?.includes(name));
    if (command === undefined)
      throw new KataError(
        "InvalidArgument",
        `Invalid command ${JSON.stringify(name)} (see kata-runtime --help)`,
      );
    return await command.invoke(words.slice(next + 1), globals);
  } catch (error) {
    if (!(error instanceof KataError) && !isSysError(error) && !isSuppressedError(error)) throw error;
    reportError(errorLog, KataError.from(error).message);
    return 1;
  }
}

function show(text: string): number {
  printText(text);
  return 0;
}
