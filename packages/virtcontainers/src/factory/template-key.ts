import { COMMIT, KataError, ops, VERSION } from "@kata-containers/sys";
import type { VmConfig } from "../hypervisor/hypervisor.ts";
import { shortHash } from "../paths.ts";
import { currentBootId } from "../persist/process-identity.ts";

/** Another version of this program may give QEMU other words for the same machine. */
const PROGRAM = `${VERSION} ${COMMIT}`;

/** What tells a file from another one of the same path, however that came there. */
export function identityOfFile(path: string): string {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = ops.stat(path);
    return [dev, ino, size, mtimeMs, ctimeMs].join(" ");
  } catch (error) {
    throw KataError.from(error, "cannot look at what a template is made from");
  }
}

/**
 * The name of the template for a machine: 16 hex digits of a hash of all that its memory and its state depend on. That its files are the
 * same ones is told by what the file system says of them, which takes microseconds, not by a hash of 40 MB at each start.
 * @param files by path, see `identityOfFile`
 */
export function templateKey(vmm: VmConfig, channel: string, files: Readonly<Record<string, string>>): string {
  // Measured anew at each start, and the same on one host.
  const { tscKhz: _, ...machine } = vmm;
  const text = JSON.stringify({ PROGRAM, bootId: currentBootId(), machine, channel, files });
  return shortHash(text);
}
