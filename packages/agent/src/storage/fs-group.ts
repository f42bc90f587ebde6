import { KataError } from "@kata-containers/sys";

/** A group id that may own files: (gid_t) -1 stands for "no change" (chown(2)). */
const MAX_GID = 0xffff_fffe;
const SETGID = 0o2000;

/** Who owns a volume of the guest's own. */
export type VolumeOwner = {
  /** Absent: stays root's. */
  readonly gid?: number;
  readonly mode: number;
  /** What is neither. */
  readonly rest: readonly string[];
};

/**
 * The options `mode=` (octal) and `fsgid=`: with the latter the volume is that group's, and its files inherit it
 * (Kubernetes' fsGroup; upstream: src/agent/src/storage).
 *
 * @throws KataError InvalidArgument
 */
export function volumeOwner(options: readonly string[], defaultMode: string): VolumeOwner {
  const last = (name: string) => options.findLast((option) => option.startsWith(name))?.slice(name.length);
  const mode = last("mode=") ?? defaultMode;
  if (!/^[0-7]{1,5}$/.test(mode) || Number.parseInt(mode, 8) > 0o7777)
    refuse(`mode=${mode}`, "is not an octal mode");
  const rest = options.filter((option) => !/^(mode|fsgid)=/.test(option));
  const fsgid = last("fsgid=");
  if (fsgid === undefined) return { mode: Number.parseInt(mode, 8), rest };
  if (!/^\d{1,10}$/.test(fsgid) || Number(fsgid) > MAX_GID) refuse(`fsgid=${fsgid}`, "is not a group id");
  return { gid: Number(fsgid), mode: Number.parseInt(mode, 8) | SETGID, rest };
}

function refuse(option: string, why: string): never {
  throw new KataError("InvalidArgument", `storage option ${option}: ${why}`);
}
