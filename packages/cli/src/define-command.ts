import { ops } from "@kata-containers/sys";
import type { AnyCommand, Command, Options } from "./command.ts";
import { renderCommandHelp } from "./help.ts";
import { parseArguments } from "./parse-arguments.ts";

/** Makes a row of the command table: the parser comes from the row itself, and `--help` too. */
export function defineCommand<const O extends Options>(command: Command<O>): AnyCommand {
  return {
    ...command,
    async invoke(argv, globals) {
      if (argv[0] === "--help" || argv[0] === "-h") {
        ops.writeSync(1, ops.utf8Encode(renderCommandHelp(command)));
        return 0;
      }
      const { options, args } = parseArguments(argv, command.options, command.args, command.name);
      return command.run({ options, args, globals });
    },
  };
}
