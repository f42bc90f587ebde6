import { KataError, ops, runMain } from "@kata-containers/sys";
import { parseDaemonArguments } from "./arguments.ts";
import { runDaemon } from "./daemon.ts";

/** The daemon of kata-runtime's sandboxes; what containerd asks of a shim is in a bundle of its own, which those need not load. */
runMain(async (argv) => {
  const args = argv.slice(1);
  try {
    if (!args.includes("--daemon")) ops.execve("/proc/self/exe", ["kata-task", ...args], ops.env());
    return await runDaemon(parseDaemonArguments(args));
  } catch (error) {
    ops.writeSync(2, ops.utf8Encode(`${argv[0]}: ${KataError.from(error).message}\n`));
    return 1;
  }
});
