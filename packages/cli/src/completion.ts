import type { Options } from "./command.ts";
import type { Program } from "./program.ts";

/** A bash completion script, from the command table. Container ids complete by `list --quiet`. */
export function renderCompletion<G>({ name, commands, globalOptions }: Program<G>): string {
  const shellName = `_${name.replaceAll("-", "_")}`;
  const cases = commands.map((command) => {
    const first = command.args[0]?.name === "ID" && command.name !== "create" && command.name !== "run";
    return `    ${command.name}) words="${words(command.options)}"; ids=${first ? 1 : 0} ;;`;
  });
  return `# bash completion for ${name}; made from its command table
${shellName}() {
  local current=\${COMP_WORDS[COMP_CWORD]} word command= words= ids=0
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      ${commands.map((command) => command.name).join("|")}) command=$word; break ;;
    esac
  done
  case $command in
    "") words="${words(globalOptions)} ${commands.map((command) => command.name).join(" ")}" ;;
${cases.join("\n")}
  esac
  if [ "$ids" = 1 ] && [ "\${current#-}" = "$current" ]; then words=$(${name} list --quiet 2> /dev/null); fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ \${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -F ${shellName} ${name}
`;
}

function words(options: Options): string {
  return Object.entries(options)
    .flatMap(([name, option]) => [name, ...(option.aliases ?? [])].map((each) => `--${each}`))
    .join(" ");
}
