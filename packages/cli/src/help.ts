import type { AnyCommand, Argument, Command, Option, Options } from "./command.ts";

/** Usage of the whole program, from the command table. */
export function renderHelp(commands: readonly AnyCommand[], globals: Options): string {
  return [
    "kata-runtime runs containers in virtual machines of their own (an OCI runtime).",
    "",
    "Usage: kata-runtime [GLOBAL OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]",
    "",
    "Commands:",
    ...columns(commands.map((command) => [command.name, command.summary])),
    "",
    "Global options:",
    ...columns(optionRows(globals)),
    "",
    "kata-runtime COMMAND --help tells more.",
    "",
  ].join("\n");
}

export function renderCommandHelp<O extends Options>(command: Command<O> | AnyCommand): string {
  const lines = [`kata-runtime ${command.name}: ${command.summary}`, "", `Usage: ${usage(command)}`];
  if (command.description !== undefined) lines.push("", command.description);
  if (command.args.length > 0)
    lines.push("", "Arguments:", ...columns(command.args.map((arg) => [arg.name, arg.help])));
  const rows = optionRows(command.options);
  if (rows.length > 0) lines.push("", "Options:", ...columns(rows));
  return `${lines.join("\n")}\n`;
}

export function usage(command: Pick<AnyCommand, "name" | "args" | "options">): string {
  const options = Object.keys(command.options).length > 0 ? " [OPTIONS]" : "";
  return `kata-runtime ${command.name}${options}${command.args.map((arg) => ` ${argumentForm(arg)}`).join("")}`;
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
