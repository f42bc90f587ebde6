import { KataError, ops, runMain } from "@kata-containers/sys";
import { runIdleDaemon } from "../cache/idle-daemon.ts";
import { parseDaemonArguments } from "./arguments.ts";
import { runDaemon } from "./daemon.ts";
import { runTemplateMaker } from "./template-maker.ts";

/** The daemon of kata-runtime's sandboxes, also one that waits for its sandbox, and what makes its templates, confined alike; what containerd asks of a shim is in a bundle of its own, which those need not load. */
runMain(async (argv) => {
  const args = argv.slice(1);
  try {
    if (args.includes("--idle")) return await runIdleDaemon();
    if (args.includes("--make-template")) return await runTemplateMaker(args);
    if (!args.includes("--daemon")) ops.execve("/proc/self/exe", ["kata-task", ...args], ops.env());
    return await runDaemon(parseDaemonArguments(args));
  } catch (error) {
    ops.writeSync(2, ops.utf8Encode(`${argv[0]}: ${KataError.from(error).message}\n`));
    return 1;
  }
});
