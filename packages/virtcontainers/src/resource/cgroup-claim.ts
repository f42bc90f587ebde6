import { exists, Fd, isSysError, KataError, LOCK, mkdirp, O, ops } from "@kata-containers/sys";
import { OWNER_ROOT, RUNTIME_DIR, shortHash } from "../paths.ts";

/**
 * One symbolic link a cgroup that a specification names, or that a sandbox in memory has, pointing at the state directory of the
 * sandbox that has it.
 */
const CLAIM_DIR = `${RUNTIME_DIR}/cgroups`;

/** The cgroup's claim, by the first 16 hex digits of its path's sha256. */
export function claimPath(cgroup: string): string {
  return `${CLAIM_DIR}/${shortHash(cgroup)}`;
}

/**
 * Takes a cgroup for a sandbox in one step: of two that want it at the same moment one gets it. The processes in it do not tell them
 * apart, for neither has any yet.
 * @param claim the cgroup's, see `claimPath`
 * @param owner the sandbox's state directory
 * @throws KataError FailedPrecondition when it is another sandbox's
 */
export function claimCgroup(cgroup: string, claim: string, owner: string): void {
  mkdirp(directoryOf(claim), 0o711);
  try {
    using lock = lockClaims(claim);
    void lock;
    const other = ownerOf(claim);
    if (other === owner) return;
    if (other !== undefined) {
      if (!isAbandoned(other)) throw taken(cgroup, claim, other);
      ops.unlink(claim);
    }
    ops.symlink(owner, claim);
  } catch (cause) {
    throw cause instanceof KataError ? cause : KataError.from(cause, `cannot take cgroup ${cgroup}`);
  }
}

/** Gives the cgroup back, if it is this sandbox's. */
export function releaseCgroup(claim: string, owner: string): void {
  if (ownerOf(claim) !== owner) return;
  using lock = lockClaims(claim);
  void lock;
  if (ownerOf(claim) === owner) ops.unlink(claim);
}

/** All claims of the host, with the state directories of those that hold them. */
export function cgroupClaims(): readonly { readonly claim: string; readonly owner: string }[] {
  return entriesOf(CLAIM_DIR).flatMap((name) => {
    const claim = `${CLAIM_DIR}/${name}`;
    const owner = ownerOf(claim);
    return owner === undefined ? [] : [{ claim, owner }];
  });
}

function entriesOf(directory: string): readonly string[] {
  try {
    return ops.readdir(directory).map(({ name }) => name);
  } catch (error) {
    if (isSysError(error, "ENOENT")) return [];
    throw error;
  }
}

/**
 * A state directory is there before its sandbox claims, and goes after it has released: without one, it was removed by force. A
 * sandbox that a program owns has none at all; it is taken at its word, see `removeAbandoned`.
 */
function isAbandoned(owner: string): boolean {
  return !owner.startsWith(OWNER_ROOT) && !exists(owner);
}

function taken(cgroup: string, claim: string, owner: string): KataError {
  return new KataError(
    "FailedPrecondition",
    `cgroup ${cgroup}: container's cgroup is not empty: it is that of sandbox ${owner} (as ${claim} says): ` +
      "give linux.cgroupsPath a cgroup of its own",
  );
}

/** Between a look at a claim and what follows from it, nobody else changes one. */
function lockClaims(claim: string): Fd {
  const fd = new Fd(ops.open(directoryOf(claim), O.RDONLY | O.DIRECTORY | O.CLOEXEC, 0));
  ops.flock(fd.number, LOCK.EX);
  return fd;
}

function directoryOf(claim: string): string {
  return claim.slice(0, claim.lastIndexOf("/"));
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
