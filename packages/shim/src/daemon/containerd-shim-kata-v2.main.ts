import { KataError, ops, runMain } from "@kata-containers/sys";
import { parseDaemonArguments } from "./arguments.ts";
import { runDaemon } from "./daemon.ts";

runMain(async (argv) => {
  try {
    return await runDaemon(parseDaemonArguments(argv.slice(1)));
  } catch (error) {
    ops.writeSync(2, ops.utf8Encode(`${argv[0]}: ${KataError.from(error).message}\n`));
    return 1;
  }
});
