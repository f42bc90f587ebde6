// Kernel constants by the names of the system calls' manual pages, prefix cut. Numbers: include/uapi/ (asm-generic; the x86_64 and arm64
// differences are marked). Only what our programs use.

/** open(2) flags. DIRECTORY, NOFOLLOW, DIRECT and LARGEFILE are x86_64's. */
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  NOCTTY: 0o400,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  DIRECTORY: 0o200000,
  NOFOLLOW: 0o400000,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
  TMPFILE: 0o20200000,
} as const;

/** File type and mode bits of st_mode, inode(7). */
export const S = {
  IFMT: 0o170000,
  IFSOCK: 0o140000,
  IFLNK: 0o120000,
  IFREG: 0o100000,
  IFBLK: 0o060000,
  IFDIR: 0o040000,
  IFCHR: 0o020000,
  IFIFO: 0o010000,
  ISUID: 0o4000,
  ISGID: 0o2000,
  ISVTX: 0o1000,
} as const;

/** access(2) modes. */
export const ACCESS = { F_OK: 0, X_OK: 1, W_OK: 2, R_OK: 4 } as const;

/** lseek(2) whence. */
export const SEEK = { SET: 0, CUR: 1, END: 2 } as const;

/** *at(2) flags. */
export const AT = {
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  REMOVEDIR: 0x200,
  SYMLINK_FOLLOW: 0x400,
  NO_AUTOMOUNT: 0x800,
  EMPTY_PATH: 0x1000,
  RECURSIVE: 0x8000,
} as const;

/** openat2(2) resolve flags. */
export const RESOLVE = {
  NO_XDEV: 0x01,
  NO_MAGICLINKS: 0x02,
  NO_SYMLINKS: 0x04,
  BENEATH: 0x08,
  IN_ROOT: 0x10,
} as const;

/** flock(2) operations. */
export const LOCK = { SH: 1, EX: 2, NB: 4, UN: 8 } as const;

/** memfd_create(2) seals, fcntl(2) F_ADD_SEALS. */
export const SEAL = { SEAL: 1, SHRINK: 2, GROW: 4, WRITE: 8 } as const;

/** mount(2) flags. */
export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  SYNCHRONOUS: 16,
  REMOUNT: 32,
  MANDLOCK: 64,
  DIRSYNC: 128,
  NOSYMFOLLOW: 256,
  NOATIME: 1024,
  NODIRATIME: 2048,
  BIND: 4096,
  MOVE: 8192,
  REC: 16384,
  SILENT: 32768,
  UNBINDABLE: 1 << 17,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
  RELATIME: 1 << 21,
  I_VERSION: 1 << 23,
  STRICTATIME: 1 << 24,
  LAZYTIME: 1 << 25,
} as const;

/** umount2(2) flags. */
export const MNT = { FORCE: 1, DETACH: 2, EXPIRE: 4, UMOUNT_NOFOLLOW: 8 } as const;

/** mount_setattr(2) and fsmount(2) attributes. */
export const MOUNT_ATTR = {
  RDONLY: 0x01,
  NOSUID: 0x02,
  NODEV: 0x04,
  NOEXEC: 0x08,
  ATIME: 0x70,
  RELATIME: 0,
  NOATIME: 0x10,
  STRICTATIME: 0x20,
  NODIRATIME: 0x80,
  IDMAP: 0x100000,
  NOSYMFOLLOW: 0x200000,
} as const;

/** open_tree(2) flags; AT.RECURSIVE and AT.EMPTY_PATH go with them. */
export const OPEN_TREE = { CLONE: 1, CLOEXEC: O.CLOEXEC } as const;

/** move_mount(2) flags. */
export const MOVE_MOUNT = {
  F_EMPTY_PATH: 0x04,
  T_EMPTY_PATH: 0x40,
  SET_GROUP: 0x100,
  BENEATH: 0x200,
} as const;

/** fsopen(2) and fsmount(2) flags. */
export const FS = { CLOEXEC: 1 } as const;

/** Namespace and clone(2) flags. */
export const CLONE = {
  NEWTIME: 0x80,
  /** To unshare(2): this thread's root and current directory, which setns(2) of a mount namespace changes, are its own. */
  FS: 0x200,
  NEWNS: 0x20000,
  NEWCGROUP: 0x02000000,
  NEWUTS: 0x04000000,
  NEWIPC: 0x08000000,
  NEWUSER: 0x10000000,
  NEWPID: 0x20000000,
  NEWNET: 0x40000000,
} as const;

/** prlimit(2) resources, by the names config.json uses. */
export const RLIMIT = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
} as const;

/** Socket types for {@link Ops.socketpair}. */
export const SOCK = { STREAM: 1, DGRAM: 2, SEQPACKET: 5 } as const;

/** shutdown(2) directions. */
export const SHUT = { RD: 0, WR: 1, RDWR: 2 } as const;

/** vsock(7) context ids. */
export const VSOCK = { CID_ANY: 0xffffffff, CID_LOCAL: 1, CID_HOST: 2 } as const;

/** inotify(7): events. */
export const IN = { MODIFY: 2 } as const;

/** netlink(7) protocols. */
export const NETLINK = { ROUTE: 0, KOBJECT_UEVENT: 15 } as const;
