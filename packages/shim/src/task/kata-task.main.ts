import { KataError, ops, runMain } from "@kata-containers/sys";
import { runShim } from "./run-shim.ts";

runMain(async (argv) => {
  try {
    return await runShim(argv.slice(1));
  } catch (error) {
    ops.writeSync(2, ops.utf8Encode(`containerd-shim-kata-v2: ${KataError.from(error).message}\n`));
    return 1;
  }
});
