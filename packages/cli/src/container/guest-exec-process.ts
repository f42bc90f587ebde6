import { type Process, parseSpec } from "@kata-containers/oci";
import { KataError, MAX_TEXT_BYTES, ops } from "@kata-containers/sys";
import type { Values } from "../command.ts";
import type { processOptions, refusedProcessOptions } from "../commands/process-options.ts";
import { wantedProcess } from "./exec-process.ts";
import type { FoundContainer } from "./find-container.ts";
import { checkPreserveFds } from "./preserve-fds.ts";

type ExecValues = Values<typeof processOptions & typeof refusedProcessOptions>;

/**
 * The process that `exec` is asked for, in a VM.
 * @throws KataError InvalidArgument; Unimplemented for what a VM cannot have
 */
export function wantedGuestProcess(
  options: ExecValues,
  command: readonly string[],
  found: FoundContainer,
): Process {
  refuseLabels(options);
  checkPreserveFds("exec", options["preserve-fds"]);
  return wantedProcess(options, command, () => containerProcess(found));
}

/** The process of the container's config.json. @throws KataError */
function containerProcess({ container }: FoundContainer): Process {
  const file = `${container.bundle}/config.json`;
  const own = parseSpec(readBytes(file), file).process;
  if (own === undefined) throw new KataError("InvalidArgument", `${file}: process: is missing`);
  return own;
}

function refuseLabels(options: ExecValues): void {
  for (const [name, what] of [
    ["process-label", "SELinux"],
    ["apparmor", "AppArmor"],
  ] as const) {
    if (!options[name]) continue;
    throw new KataError(
      "Unimplemented",
      `exec: --${name}: the container has a kernel of its own, without ${what} and the host's policy`,
    );
  }
}

function readBytes(path: string): Uint8Array {
  try {
    return ops.readFile(path, MAX_TEXT_BYTES);
  } catch (error) {
    throw KataError.from(error, "cannot read the container's process");
  }
}
