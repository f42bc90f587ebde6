import type { AnyCommand, Options } from "./command.ts";
import { optionForms, usage } from "./help.ts";

/** kata-runtime(8), from the command table. */
export function renderManPage(commands: readonly AnyCommand[], globals: Options, version: string): string {
  return [
    `.TH KATA-RUNTIME 8 "" "Kata Containers ${roff(version)}"`,
    ".SH NAME",
    "kata\\-runtime \\- run containers in virtual machines of their own",
    ".SH SYNOPSIS",
    ".B kata\\-runtime",
    "[GLOBAL OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]",
    ".SH GLOBAL OPTIONS",
    ...optionLines(globals),
    ".SH COMMANDS",
    ...commands.flatMap(commandLines),
    ".SH EXIT STATUS",
    "0 on success, 1 on any error.",
    '.BR run " and " exec',
    "exit with the status of the container's process (128 + N after signal N), with 127 when its command is not found, and with 126 when it cannot be executed.",
    "",
  ].join("\n");
}

function commandLines(command: AnyCommand): string[] {
  const text = command.description ?? command.summary;
  return [
    `.SS ${roff(usage(command))}`,
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
