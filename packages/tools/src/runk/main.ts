import { ProcessError } from "@kata-containers/launch";
import { OCI_VERSION } from "@kata-containers/oci";
import { isSysError, KataError } from "@kata-containers/sys";
import { type Arguments, parseArguments } from "./arguments.ts";
import { COMMANDS } from "./commands.ts";
import { GLOBAL_OPTIONS, readGlobals } from "./globals.ts";
import { fail, openLog, print } from "./report.ts";

/** runk: an OCI runtime without a virtual machine. @returns the exit status */
export async function main(argv: readonly string[]): Promise<number> {
  let name = "";
  try {
    const args = parseArguments(argv.slice(1), GLOBAL_OPTIONS, false);
    if (args.flag("version")) return show(`runk version 0.1.0\nspec: ${OCI_VERSION}\n`);
    name = args.words[0] ?? "help";
    if (args.flag("help") || name === "help") return show(help());
    return await runCommand(name, args);
  } catch (error) {
    // What is neither is a defect of ours: runMain prints where it happened.
    if (!(error instanceof KataError) && !isSysError(error)) throw error;
    fail(messageOf(name, error));
    return error instanceof ProcessError && name !== "create" ? error.exitStatus : 1;
  }
}

async function runCommand(name: string, args: Arguments): Promise<number> {
  const command = COMMANDS[name];
  if (command === undefined)
    throw new KataError("InvalidArgument", `no such command: ${name} (see runk --help)`);
  openLog(args);
  const rest = parseArguments(args.words.slice(1), command.options, command.takesProgram !== true);
  return command.run(rest, readGlobals(args));
}

/** As runc puts it, for managers look for its words. */
function messageOf(name: string, error: Error): string {
  const starts = error instanceof ProcessError ? "unable to start container process: " : "";
  const isStart = name === "create" || name === "run" || name === "exec";
  return isStart ? `runk ${name} failed: ${starts}${error.message}` : error.message;
}

function show(text: string): number {
  print(text);
  return 0;
}

function help(): string {
  const commands = Object.entries(COMMANDS).map(([name, { summary }]) => `   ${name.padEnd(10)}${summary}\n`);
  const options = Object.keys(GLOBAL_OPTIONS).map((name) => `   --${name}\n`);
  return `runk: runs OCI containers without a virtual machine\n\nUSAGE:\n   runk [options] command [options] [arguments]\n\nCOMMANDS:\n${commands.join("")}\nOPTIONS:\n${options.join("")}`;
}
