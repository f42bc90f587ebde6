import { MOUNT_ATTR, MS } from "@kata-containers/sys";
import { entry } from "./entry.ts";

/** A mount's options, sorted by what they need. */
export type MountOptions = {
  /** MS_* of a new file system. */
  readonly flags: number;
  /** MOUNT_ATTR_* for a bind, which inherits from its source what is neither set nor cleared. */
  readonly set: number;
  readonly clear: number;
  /** The same for the bind and the mounts below it (rro …). */
  readonly setRecursive: number;
  readonly clearRecursive: number;
  /** One of MS_PRIVATE …, with MS_REC; 0: none. */
  readonly propagation: number;
  readonly bind: boolean;
  readonly recursive: boolean;
  readonly tmpcopyup: boolean;
  readonly idmap: boolean;
  /** The same for it and the mounts below it. */
  readonly ridmap: boolean;
  /** What is left is the file system's. */
  readonly data: string;
};

/** `atime`: a value of the one field that access times have, which is cleared before it is set (mount_setattr(2)). */
type Flag = { readonly flag: number; readonly attr: number; readonly off?: true; readonly atime?: true };

/** mount(8), "FILESYSTEM-INDEPENDENT MOUNT OPTIONS"; runtime-spec config.md, "Linux mount options". */
const FLAGS: Readonly<Record<string, Flag>> = {
  defaults: { flag: 0, attr: 0 },
  ro: { flag: MS.RDONLY, attr: MOUNT_ATTR.RDONLY },
  rw: { flag: MS.RDONLY, attr: MOUNT_ATTR.RDONLY, off: true },
  nosuid: { flag: MS.NOSUID, attr: MOUNT_ATTR.NOSUID },
  suid: { flag: MS.NOSUID, attr: MOUNT_ATTR.NOSUID, off: true },
  nodev: { flag: MS.NODEV, attr: MOUNT_ATTR.NODEV },
  dev: { flag: MS.NODEV, attr: MOUNT_ATTR.NODEV, off: true },
  noexec: { flag: MS.NOEXEC, attr: MOUNT_ATTR.NOEXEC },
  exec: { flag: MS.NOEXEC, attr: MOUNT_ATTR.NOEXEC, off: true },
  nosymfollow: { flag: MS.NOSYMFOLLOW, attr: MOUNT_ATTR.NOSYMFOLLOW },
  symfollow: { flag: MS.NOSYMFOLLOW, attr: MOUNT_ATTR.NOSYMFOLLOW, off: true },
  noatime: { flag: MS.NOATIME, attr: MOUNT_ATTR.NOATIME, atime: true },
  atime: { flag: MS.NOATIME, attr: MOUNT_ATTR.NOATIME, off: true, atime: true },
  nodiratime: { flag: MS.NODIRATIME, attr: MOUNT_ATTR.NODIRATIME },
  diratime: { flag: MS.NODIRATIME, attr: MOUNT_ATTR.NODIRATIME, off: true },
  relatime: { flag: MS.RELATIME, attr: MOUNT_ATTR.RELATIME, atime: true },
  norelatime: { flag: MS.RELATIME, attr: 0, off: true, atime: true },
  strictatime: { flag: MS.STRICTATIME, attr: MOUNT_ATTR.STRICTATIME, atime: true },
  nostrictatime: { flag: MS.STRICTATIME, attr: MOUNT_ATTR.STRICTATIME, off: true, atime: true },
  sync: { flag: MS.SYNCHRONOUS, attr: 0 },
  async: { flag: MS.SYNCHRONOUS, attr: 0, off: true },
  dirsync: { flag: MS.DIRSYNC, attr: 0 },
  lazytime: { flag: MS.LAZYTIME, attr: 0 },
  nolazytime: { flag: MS.LAZYTIME, attr: 0, off: true },
  iversion: { flag: MS.I_VERSION, attr: 0 },
  noiversion: { flag: MS.I_VERSION, attr: 0, off: true },
  remount: { flag: MS.REMOUNT, attr: 0 },
  mand: { flag: MS.MANDLOCK, attr: 0 },
  nomand: { flag: MS.MANDLOCK, attr: 0, off: true },
  silent: { flag: MS.SILENT, attr: 0 },
  loud: { flag: MS.SILENT, attr: 0, off: true },
};

/** Also of linux.rootfsPropagation. */
export const PROPAGATION: Readonly<Record<string, number>> = {
  private: MS.PRIVATE,
  rprivate: MS.PRIVATE | MS.REC,
  slave: MS.SLAVE,
  rslave: MS.SLAVE | MS.REC,
  shared: MS.SHARED,
  rshared: MS.SHARED | MS.REC,
  unbindable: MS.UNBINDABLE,
  runbindable: MS.UNBINDABLE | MS.REC,
};

/** Sorts options; the last of two that contradict each other wins, as with mount(8). */
export function parseMountOptions(options: readonly string[]): MountOptions {
  const words = new Set(options);
  let flags = 0;
  let own: Attributes = { set: 0, clear: 0 };
  let recursive: Attributes = { set: 0, clear: 0 };
  let propagation = 0;
  const data: string[] = [];
  for (const option of options) {
    const flag = entry(FLAGS, option);
    const below = option.startsWith("r") ? entry(FLAGS, option.slice(1)) : undefined;
    const spread = entry(PROPAGATION, option);
    if (flag !== undefined) {
      flags = flag.off ? flags & ~flag.flag : flags | flag.flag;
      own = change(own, flag);
    } else if (spread !== undefined) propagation = spread;
    else if (below?.attr || below?.atime) {
      // A new file system has no mounts below it.
      flags = below.off ? flags & ~below.flag : flags | below.flag;
      recursive = change(recursive, below);
    } else if (!KNOWN.has(option)) data.push(option);
  }
  return {
    flags,
    ...own,
    setRecursive: recursive.set,
    clearRecursive: recursive.clear,
    propagation,
    bind: words.has("bind") || words.has("rbind"),
    recursive: words.has("rbind"),
    tmpcopyup: words.has("tmpcopyup"),
    idmap: words.has("idmap"),
    ridmap: words.has("ridmap"),
    data: data.join(","),
  };
}

/** MOUNT_ATTR_* of a new mount for mount(2)'s MS_*; of several access times the most exact wins, as in do_mount of fs/namespace.c. */
export function newMountAttributes(flags: number): number {
  const asked = Object.values(FLAGS).filter(({ flag, off }) => !off && (flags & flag) !== 0);
  const plain = asked.filter(({ atime }) => !atime).reduce((sum, { attr }) => sum | attr, 0);
  return plain | Math.max(0, ...asked.filter(({ atime }) => atime).map(({ attr }) => attr));
}

type Attributes = { readonly set: number; readonly clear: number };

function change({ set, clear }: Attributes, { attr, off, atime }: Flag): Attributes {
  if (atime) return { set: (set & ~MOUNT_ATTR.ATIME) | (off ? 0 : attr), clear: clear | MOUNT_ATTR.ATIME };
  return off ? { set: set & ~attr, clear: clear | attr } : { set: set | attr, clear: clear & ~attr };
}

const KNOWN: ReadonlySet<string> = new Set(["bind", "rbind", "tmpcopyup", "idmap", "ridmap"]);

/** Every option that is understood, sorted; the others go to the file system as they are. */
export function mountOptionNames(): string[] {
  const recursive = Object.entries(FLAGS).filter(([, { attr, atime }]) => attr !== 0 || atime);
  return [
    ...Object.keys(FLAGS),
    ...recursive.map(([name]) => `r${name}`),
    ...Object.keys(PROPAGATION),
    "bind",
    "idmap",
    "rbind",
    "ridmap",
    "tmpcopyup",
  ].sort();
}
