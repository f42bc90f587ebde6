import { KataError } from "@kata-containers/sys";
import type { AnyCommand, Option, Options, Values } from "./command.ts";
import { renderCommandHelp, renderHelp } from "./help.ts";
import { parseLeadingOptions } from "./parse-arguments.ts";
import { printText } from "./print.ts";
import type { Program } from "./program.ts";

/** What every program has beside its own. */
type CommonOptions = Options & { readonly version: Option; readonly help: Option };

/**
 * Reads the global options and runs the command that follows them, or prints help or version.
 * @param argv [0] is the program's name
 * @param begin makes the globals of their options, for the command of this name
 * @returns the exit status
 * @throws KataError InvalidArgument: no such option or command; and whatever the command throws
 */
export async function dispatch<G, const O extends CommonOptions>(
  argv: readonly string[],
  program: Program<G> & { readonly globalOptions: O },
  version: () => string,
  begin: (options: Values<O>, command: string) => G,
): Promise<number> {
  const words = argv.slice(1);
  const { options, next } = parseLeadingOptions(words, program.globalOptions, program.name);
  if (options.version) return show(version());
  const name = words[next];
  if (options.help || name === undefined) return show(renderHelp(program));
  if (HELP.includes(name)) return show(helpOn(program, words[next + 1]));
  const globals = begin(options, name);
  return await commandNamed(program, name).invoke(words.slice(next + 1), globals);
}

/** As runc: `help`, and `help COMMAND`. */
const HELP: readonly string[] = ["help", "h"];

function helpOn<G>(program: Program<G>, name: string | undefined): string {
  return name === undefined
    ? renderHelp(program)
    : renderCommandHelp(program.name, commandNamed(program, name));
}

/** @throws KataError InvalidArgument */
function commandNamed<G>({ name: program, commands }: Program<G>, name: string): AnyCommand<G> {
  const command = commands.find((each) => each.name === name || each.aliases?.includes(name));
  if (command !== undefined) return command;
  throw new KataError("InvalidArgument", `Invalid command ${JSON.stringify(name)} (see ${program} --help)`);
}

function show(text: string): number {
  printText(text);
  return 0;
}
