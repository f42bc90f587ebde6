import type { Options } from "./command.ts";
import { type CommandRow, optionForms, usage } from "./help.ts";
import type { Program } from "./program.ts";

/** A page of section 8, from the command table. */
export function renderManPage<G>(
  { name, summary, commands, globalOptions }: Program<G>,
  version: string,
): string {
  return [
    `.TH ${name.toUpperCase()} 8 "" "Kata Containers ${roff(version)}"`,
    ".SH NAME",
    `${roff(name)} \\- ${roff(summary)}`,
    ".SH SYNOPSIS",
    `.B ${roff(name)}`,
    "[GLOBAL OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]",
    ".SH GLOBAL OPTIONS",
    ...optionLines(globalOptions),
    ".SH COMMANDS",
    ...commands.flatMap((command) => commandLines(name, command)),
    ".SH EXIT STATUS",
    "0 on success, 1 on any error.",
    '.BR run " and " exec',
    "exit with the status of the container's process (128 + N after signal N), with 127 when its command is not found, and with 126 when it cannot be executed.",
    "",
  ].join("\n");
}

function commandLines(program: string, command: CommandRow): string[] {
  const text = command.description ?? command.summary;
  return [
    `.SS ${roff(usage(program, command))}`,
    roff(`${text.replace(/\.$/, "")}.`),
    ...optionLines(command.options),
  ];
}

function optionLines(options: Options): string[] {
  return Object.entries(options).flatMap(([name, option]) => [
    ".TP",
    `.B ${roff(optionForms(name, option).join(", "))}`,
    roff(option.help),
  ]);
}

/** groff(7): a hyphen is a minus sign only when escaped; a backslash is \e; a line must not begin with a control character. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll(/^([.'])/gm, "\\&$1");
}
