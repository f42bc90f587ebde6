import { dispatch } from "@kata-containers/cli";
import { ProcessError } from "@kata-containers/launch";
import { OCI_VERSION } from "@kata-containers/oci";
import { COMMIT, isSuppressedError, isSysError, KataError, VERSION } from "@kata-containers/sys";
import { readGlobals } from "./globals.ts";
import { runk } from "./program.ts";
import { fail, openLog } from "./report.ts";

/** runk: an OCI runtime without a virtual machine. @returns the exit status */
export async function main(argv: readonly string[]): Promise<number> {
  let name = "";
  try {
    return await dispatch(argv, runk, renderVersion, (options, command) => {
      name = command;
      openLog(options);
      return readGlobals(options);
    });
  } catch (error) {
    // What is none of these is a defect of ours: runMain prints where it happened.
    if (!(error instanceof KataError) && !isSysError(error) && !isSuppressedError(error)) throw error;
    const failure = KataError.from(error);
    fail(messageOf(name, failure));
    return statusOf(name, failure);
  }
}

/** As runc's: 255 when `exec` has not got as far as a process. A program that cannot be run has a shell's statuses. */
function statusOf(command: string, error: Error): number {
  if (error instanceof ProcessError && command !== "create") return error.exitStatus;
  return command === "exec" ? 255 : 1;
}

/** As runc puts it, for managers look for its words. */
function messageOf(name: string, error: Error): string {
  const starts = error instanceof ProcessError ? "unable to start container process: " : "";
  if (name === "exec") return `exec failed: ${starts}${error.message}`;
  return name === "create" || name === "run"
    ? `runk ${name} failed: ${starts}${error.message}`
    : error.message;
}

function renderVersion(): string {
  return `runk version ${VERSION}\ncommit: ${COMMIT}\nspec: ${OCI_VERSION}\n`;
}
