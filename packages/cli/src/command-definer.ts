import { ops } from "@kata-containers/sys";
import type { AnyCommand, Command, Options } from "./command.ts";
import { renderCommandHelp } from "./help.ts";
import { parseArguments } from "./parse-arguments.ts";

/** Makes rows of a program's command table, G its globals: the parser comes from the row itself, and `--help` too. */
export function commandDefiner<G>(
  program: string,
): <const O extends Options>(command: Command<O, G>) => AnyCommand<G> {
  return (command) => ({
    ...command,
    async invoke(argv, globals) {
      if (argv[0] === "--help" || argv[0] === "-h") {
        ops.writeSync(1, ops.utf8Encode(renderCommandHelp(program, command)));
        return 0;
      }
      const place = { program, command: command.name };
      const { options, args } = parseArguments(argv, command.options, command.args, place);
      return command.run({ options, args, globals });
    },
  });
}
