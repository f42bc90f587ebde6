import type { AnyCommand, Options } from "./command.ts";
import type { Program } from "./program.ts";

/**
 * A bash completion script, from the command table: commands, options, their fixed values, and container ids by
 * `list --quiet`, of the `--root` that is on the line. It reads the line as the parser does (parse-arguments.ts), except for
 * `--`; bash has split `--option=value` at the `=`.
 */
export function renderCompletion<G>({ name, commands, globalOptions }: Program<G>): string {
  const shellName = `_${name.replaceAll("-", "_")}`;
  const scopes = [{ name: "", options: globalOptions }, ...commands];
  const names = commands.map((command) => command.name).join(" ");
  return `# bash completion for ${name}; made from its command table
${shellName}() {
  local current=\${COMP_WORDS[COMP_CWORD]} word="" command="" option="" root="" words="" arguments=0 i IFS=$' \\t\\n'
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [ -n "$option" ]; then
      if [ "$word" = "=" ]; then continue; fi
      if [ "$option" = --root ]; then root=$word; fi
      option=
      continue
    fi
    case $word in --*) ;; -??*) word=-$word ;; esac
    case "$command $word" in
      ${alternatives(scopes.flatMap((scope) => valued(scope.name, scope.options)))}) option=$word ;;
      *" -"*) ;;
${aliasCases(commands)}      " "*) command=$word ;;
      ${alternatives(
        commands.filter(takesRest).map((command) => `${command.name} `),
        "*",
      )}) command=- ;;
      *) arguments=$((arguments + 1)) ;;
    esac
  done
  if [ "$current" = "=" ]; then current=; fi
  if [ -n "$option" ]; then
    case "$command $option" in
${scopes.flatMap((scope) => choiceCases(scope.name, scope.options)).join("\n")}
    esac
  else
    case "$command $arguments $current" in
      " "*) words="${longNames(globalOptions)} ${names} help" ;;
      "help 0 "*) words="${names}" ;;
${commands.map((command) => `      "${command.name} "*" -"*) words="${longNames(command.options)}" ;;`).join("\n")}
${commands.flatMap(argumentCases).join("")}      ${alternatives(
    commands.filter(takesId).map((command) => `${command.name} 0 `),
    "*",
  )})
        words=$("\${COMP_WORDS[0]}" \${root:+--root "\${root/#\\~/$HOME}"} list --quiet 2> /dev/null) ;;
    esac
  fi
  if [ -n "$words" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    IFS=$'\\n'
    compopt -o filenames 2> /dev/null
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -F ${shellName} ${name}
`;
}

/** A pattern of bash's `case`. */
function alternatives(words: readonly string[], suffix = ""): string {
  return words.map((word) => `"${word}"${suffix}`).join(" | ");
}

/** Every way to write an option: as in `optionForms`, without its value. */
function spellings(name: string, { short, aliases = [] }: Options[string]): string[] {
  return [...(short === undefined ? [] : [`-${short}`]), ...[name, ...aliases].map((each) => `--${each}`)];
}

/** Of the options that take a value: "COMMAND OPTION". */
function valued(command: string, options: Options): string[] {
  return Object.entries(options).flatMap(([name, option]) =>
    option.value === undefined ? [] : spellings(name, option).map((each) => `${command} ${each}`),
  );
}

function choiceCases(command: string, options: Options): string[] {
  return Object.entries(options).flatMap(([name, option]) => {
    if (option.choices === undefined) return [];
    const patterns = alternatives(spellings(name, option).map((each) => `${command} ${each}`));
    return [`      ${patterns}) words="${option.choices.join(" ")}" ;;`];
  });
}

/** Of a first argument with fixed values. */
function argumentCases<G>({ name, args }: AnyCommand<G>): string[] {
  const choices = args[0]?.choices;
  return choices === undefined ? [] : [`      "${name} 0 "*) words="${choices.join(" ")}" ;;\n`];
}

function aliasCases<G>(commands: readonly AnyCommand<G>[]): string {
  const aliased = commands.filter(({ aliases }) => aliases !== undefined);
  return aliased
    .map(
      ({ name, aliases = [] }) =>
        `      ${alternatives(aliases.map((each) => ` ${each}`))}) command=${name} ;;\n`,
    )
    .join("");
}

/** Whether its first argument is a container that is there. */
function takesId<G>({ name, args }: AnyCommand<G>): boolean {
  return args[0]?.name === "ID" && name !== "create" && name !== "run";
}

/** Whether what follows its first argument is not ours. */
function takesRest<G>({ args }: AnyCommand<G>): boolean {
  return args.some((arg) => arg.rest === true);
}

function longNames(options: Options): string {
  return Object.entries(options)
    .flatMap(([name, { aliases = [] }]) => [name, ...aliases].map((each) => `--${each}`))
    .join(" ");
}
