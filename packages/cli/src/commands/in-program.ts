import { KataError, ops } from "@kata-containers/sys";

/** Names by which the binary runs the bundles of kata-create.main.ts and kata-host.main.ts. */
type Program = "kata-create" | "kata-host";

/**
 * Goes on with this very command line, as this very process, in another bundle. A command that needs much code is in one
 * of them: reading 100 KiB of bytecode takes a millisecond, which every other command would pay.
 * @returns what a row's `run` is
 */
export function inProgram(name: Program): () => Promise<never> {
  return async () => {
    try {
      ops.execve("/proc/self/exe", [name, ...ops.args().slice(1)], ops.env());
    } catch (error) {
      throw KataError.from(error, `cannot go on as ${name}`);
    }
    throw new KataError("Internal", `${name} did not start`);
  };
}
