import { isSysError, KataError, mkdirp, ops } from "@kata-containers/sys";
import { hex, RUNTIME_DIR } from "../paths.ts";

/** One symbolic link a cgroup that a specification names, pointing at the state directory of the sandbox that has it. */
const CLAIM_DIR = `${RUNTIME_DIR}/cgroups`;

/** The cgroup's claim, by the first 16 hex digits of its path's sha256. */
export function claimPath(cgroup: string): string {
  return `${CLAIM_DIR}/${hex(ops.sha256(ops.utf8Encode(cgroup)).subarray(0, 8))}`;
}

/**
 * Takes a cgroup for a sandbox in one step: of two that want it at the same moment one gets it. The processes in it do not tell them
 * apart, for neither has any yet.
 * @param claim the cgroup's, see `claimPath`
 * @param owner the sandbox's state directory
 * @throws KataError FailedPrecondition when it is another sandbox's
 */
export function claimCgroup(cgroup: string, claim: string, owner: string): void {
  mkdirp(claim.slice(0, claim.lastIndexOf("/")), 0o711);
  try {
    ops.symlink(owner, claim);
  } catch (cause) {
    if (!isSysError(cause, "EEXIST")) throw KataError.from(cause, `cannot take cgroup ${cgroup}`);
    const other = ownerOf(claim);
    if (other === owner) return;
    throw new KataError(
      "FailedPrecondition",
      `cgroup ${cgroup}: container's cgroup is not empty: it is that of sandbox ${other ?? "?"} ` +
        `(as ${claim} says): give linux.cgroupsPath a cgroup of its own`,
      { cause },
    );
  }
}

/** Gives the cgroup back, if it is this sandbox's. */
export function releaseCgroup(claim: string, owner: string): void {
  if (ownerOf(claim) === owner) ops.unlink(claim);
}

/** undefined: nobody's. */
function ownerOf(claim: string): string | undefined {
  try {
    return ops.readlink(claim);
  } catch (error) {
    if (isSysError(error, "ENOENT")) return undefined;
    throw error;
  }
}
