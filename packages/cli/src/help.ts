import type { Argument, Command, Option, Options } from "./command.ts";
import type { Program } from "./program.ts";

/** Usage of the whole program, from the command table. */
export function renderHelp<G>({ name, does, commands, globalOptions }: Program<G>): string {
  return [
    `${name} ${does} (an OCI runtime).`,
    "",
    `Usage: ${name} [GLOBAL OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]`,
    "",
    "Commands:",
    ...columns(commands.map((command) => [command.name, command.summary])),
    "",
    "Global options:",
    ...columns(optionRows(globalOptions)),
    "",
    `${name} COMMAND --help, or ${name} help COMMAND, tells more.`,
    "",
  ].join("\n");
}

/** What help and man page tell of a command. */
export type CommandRow = Omit<Command<Options, never>, "run">;

export function renderCommandHelp(program: string, command: CommandRow): string {
  const lines = [`${program} ${command.name}: ${command.summary}`, "", `Usage: ${usage(program, command)}`];
  if (command.description !== undefined) lines.push("", command.description);
  if (command.args.length > 0)
    lines.push("", "Arguments:", ...columns(command.args.map((arg) => [arg.name, arg.help])));
  const rows = optionRows(command.options);
  if (rows.length > 0) lines.push("", "Options:", ...columns(rows));
  return `${lines.join("\n")}\n`;
}

export function usage(program: string, command: CommandRow): string {
  const options = Object.keys(command.options).length > 0 ? " [OPTIONS]" : "";
  return `${program} ${command.name}${options}${command.args.map((arg) => ` ${argumentForm(arg)}`).join("")}`;
}

/** Every way to write an option: "-b", "--bundle PATH". */
export function optionForms(name: string, option: Option): string[] {
  const long = [name, ...(option.aliases ?? [])].map((each) => `--${each}`);
  const forms = option.short === undefined ? long : [`-${option.short}`, ...long];
  return forms.map((form, index) =>
    option.value !== undefined && index === forms.length - 1 ? `${form} ${option.value}` : form,
  );
}

function argumentForm(arg: Argument): string {
  if (arg.choices !== undefined) return arg.choices.join("|");
  const name = arg.rest ? `${arg.name}...` : arg.name;
  return arg.optional ? `[${name}]` : name;
}

function optionRows(options: Options): [string, string][] {
  return Object.entries(options).map(([name, option]) => [
    optionForms(name, option).join(", "),
    option.repeat ? `${option.help} (may be repeated)` : option.help,
  ]);
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
