// GENERATED from crates/sys by `make generate`: do not edit.
// Conventions: a descriptor is its number and close-on-exec; bytes are Uint8Array; times are milliseconds; every op
// throws SysError. Ops that return a promise wait on epoll, never on a thread. What concerns the whole process (own) is
// refused with ENOTSUP in a host program (Node.js).

/** What {@link Ops.tsc} reads. */
export type TscSample = {
  ticks: number;
  ms: number;
};

/** Memory of this process, from /proc/self/status and smaps_rollup. */
export type MemoryUse = {
  rssKb: number;
  peakRssKb: number;
  pssKb: number;
};

/** Exactly one of code and signal is there. */
export type ExitStatus = {
  pid: number;
  code?: number;
  signal?: number;
};

export type Uname = {
  sysname: string;
  nodename: string;
  release: string;
  version: string;
  machine: string;
};

export type SpawnFd = {
  from: number;
  to: number;
};

export type SpawnArgs = {
  /** Path of the program, or use execFd. */
  path?: string;
  execFd?: number;
  argv: string[];
  /** "NAME=value" */
  env: string[];
  cwd?: string;
  /** Descriptors the child gets, as numbered; every other one is closed. 0-2 absent: /dev/null. */
  fds: SpawnFd[];
  /** setns on each, in order, before anything else (descriptors of /proc/<pid>/ns/*). The child itself is in a pid namespace joined. */
  join?: number[];
  /** unshare(2) flags, after join. With CLONE_NEWPID the child itself is PID 1 of the new namespace. */
  unshare?: number;
  setsid?: boolean;
  /** Make descriptor 0 the controlling terminal (needs setsid). */
  ctty?: boolean;
  /** Fork once more and let the intermediate exit: the child is nobody's that the caller knows; pidfd still works for polling, not for waitid. */
  doubleFork?: boolean;
  /** PR_SET_PDEATHSIG, then a check that the parent still lives. */
  parentDeathSignal?: number;
};

export type Spawned = {
  pid: number;
  pidfd: number;
};

/** type: "file" | "dir" | "symlink" | "fifo" | "socket" | "char" | "block" | "unknown" */
export type Dirent = {
  name: string;
  type: string;
};

export type Stat = {
  dev: number;
  ino: number;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  rdev: number;
  size: number;
  mtimeMs: number;
  ctimeMs: number;
  blocks: number;
};

export type StatFs = {
  type: number;
  bsize: number;
  blocks: number;
  bavail: number;
};

export type OpenHow = {
  flags: number;
  mode?: number;
  resolve?: number;
};

/** mount_setattr(2): MOUNT_ATTR_* to set and to clear, MS_* propagation. */
export type MountAttr = {
  set?: number;
  clear?: number;
  propagation?: number;
  usernsFd?: number;
};

/** Bytes in native memory; free it by writeBlock or freeBlock. len 0: end of file, and no block. */
export type Block = {
  block: number;
  len: number;
};

export type Received = {
  data: Uint8Array;
  fds: number[];
};

export type UnixPeer = {
  pid: number;
  uid: number;
  gid: number;
};

export type VsockAccepted = {
  fd: number;
  cid: number;
  port: number;
};

export type Datagram = {
  data: Uint8Array;
  address: string;
  port: number;
};

export type Winsize = {
  row: number;
  col: number;
};

/** path: the slave's, /dev/pts/N */
export type PtyPair = {
  master: number;
  slave: number;
  path: string;
};

export interface Ops {
  // engine
  /** argv, [0] = the program's name */
  args(): string[];
  /** "NAME=value" */
  env(): string[];
  /** Own: refused in a host program. */
  exit(code: number): void;
  /** CLOCK_MONOTONIC */
  monotonicMs(): number;
  /** The CPU's time-stamp counter and CLOCK_MONOTONIC (ms) of one moment; ENODEV on a CPU without one. */
  tsc(): TscSample;
  /** Clock of the day, ms since the epoch. */
  realtimeMs(): number;
  utf8Encode(text: string): Uint8Array;
  /** Wrong bytes become U+FFFD. */
  utf8Decode(bytes: Uint8Array): string;
  /** getrandom(2) */
  random(len: number): Uint8Array;
  sha256(bytes: Uint8Array): Uint8Array;
  memoryUse(): MemoryUse;
  /** Source map of this program's bundle (JSON), read on demand; ENODATA when there is none. */
  sourceMap(): string;
  /** Resolves after ms, or at once when cancelled: true = elapsed, false = cancelled. `id` is the caller's, unique while pending. */
  sleep(id: number, ms: number): Promise<boolean>;
  sleepCancel(id: number): void;
  /** Panics: for the test that a broken op is an error and no crash. */
  breakOp(): void;
  /** As breakOp, but while it is awaited. */
  breakOpLater(): Promise<void>;

  // process
  getpid(): number;
  geteuid(): number;
  /** waitid(P_PIDFD, WEXITED): waits for the child, reaps it. */
  waitPidfd(pidfd: number): Promise<ExitStatus>;
  /** Waits until the process has ended (poll on the pidfd), for processes that are not our children. */
  pidfdEnded(pidfd: number): Promise<void>;
  /**
   * waitpid(-1, WNOHANG): for PID 1 and subreapers. undefined = nothing to reap.
   * Own: refused in a host program.
   */
  reapAny(): ExitStatus | undefined;
  pidfdOpen(pid: number): number;
  pidfdSendSignal(pidfd: number, signal: number): void;
  kill(pid: number, signal: number): void;
  /** Own: refused in a host program. */
  setns(fd: number, flags: number): void;
  /** NS_GET_NSTYPE: the CLONE_NEW* flag of a namespace's descriptor; ENOTTY: it is none. */
  namespaceType(fd: number): number;
  /** Own: refused in a host program. */
  unshare(flags: number): void;
  /** Own: refused in a host program. */
  setsid(): number;
  /** Own: refused in a host program. */
  chdir(path: string): void;
  /** Own: refused in a host program. */
  chroot(path: string): void;
  /**
   * Goes on as another program: returns only to throw. What is close-on-exec is closed; blocked signals stay blocked.
   * Own: refused in a host program.
   */
  execve(path: string, argv: string[], env: string[]): void;
  /** Of sched_getaffinity(2). */
  cpuCount(): number;
  uname(): Uname;
  sethostname(name: string): void;
  setRealtime(sec: number, usec: number): void;
  sync(): void;
  finitModule(fd: number, params: string): void;
  /** RNDADDENTROPY, then RNDRESEEDCRNG. */
  addEntropy(bytes: Uint8Array): void;
  /**
   * Blocks these signals in the process and returns a signalfd; read with signalRead. spawn() unblocks all in children.
   * Own: refused in a host program.
   */
  signalOpen(signals: number[]): number;
  signalRead(fd: number): Promise<number>;

  // spawn
  /** Throws the error of the exec itself too (syscall "execve", path), and of every step before it. */
  spawn(args: SpawnArgs): Spawned;

  // fs
  /** O_CLOEXEC is added. */
  open(path: string, flags: number, mode: number): number;
  /** O_CLOEXEC is added. */
  openat2(dirfd: number, path: string, how: OpenHow): number;
  /** Ends pending async ops on it with ECANCELED. */
  close(fd: number): void;
  dup(fd: number): number;
  /** `to` is not close-on-exec. */
  dup2(from: number, to: number): void;
  setCloexec(fd: number, on: boolean): void;
  setNonblock(fd: number, on: boolean): void;
  pread(fd: number, len: number, offset: number): Uint8Array;
  /** SHA-512 of the whole file, wherever its offset is. */
  sha512File(fd: number): Uint8Array;
  /** All bytes unless the disk is full in between; returns how many. */
  pwrite(fd: number, bytes: Uint8Array, offset: number): number;
  /** Whole file; EFBIG past maxBytes. Reads until its end (works on /proc). */
  readFile(path: string, maxBytes: number): Uint8Array;
  /**
   * Whole files of one directory, a control group's: as text (wrong UTF-8 becomes U+FFFD), "" for one that the kernel has not there
   * or does not answer by (ENOENT, ENODEV, EOPNOTSUPP); EFBIG past maxBytes.
   */
  readTexts(directory: string, names: string[], maxBytes: number): string[];
  /** open(flags|O_WRONLY|O_CLOEXEC), write all, close. */
  writeFile(path: string, bytes: Uint8Array, flags: number, mode: number): void;
  /** Writes everything to fd synchronously (log lines, files). */
  writeSync(fd: number, bytes: Uint8Array): void;
  /** One read; empty = end of file. */
  readSync(fd: number, max: number): Uint8Array;
  fsync(fd: number): void;
  ftruncate(fd: number, size: number): void;
  lseek(fd: number, offset: number, whence: number): number;
  /** flock(2); with LOCK_NB throws EAGAIN. */
  flock(fd: number, operation: number): void;
  mkdir(path: string, mode: number): void;
  mkdirat(dirfd: number, path: string, mode: number): void;
  rmdir(path: string): void;
  unlink(path: string): void;
  unlinkat(dirfd: number, path: string, flags: number): void;
  rename(from: string, to: string): void;
  symlink(target: string, path: string): void;
  readlink(path: string): string;
  mknod(path: string, mode: number, major: number, minor: number): void;
  chmod(path: string, mode: number): void;
  fchmod(fd: number, mode: number): void;
  /** lchown(2) */
  chown(path: string, uid: number, gid: number): void;
  fchown(fd: number, uid: number, gid: number): void;
  stat(path: string): Stat;
  /** As stat, but undefined where nothing is: ENOENT, ENOTDIR. */
  statIfThere(path: string): Stat | undefined;
  fstat(fd: number): Stat;
  access(path: string, mode: number): void;
  statfs(path: string): StatFs;
  readdir(path: string): Dirent[];
  readdirFd(fd: number): Dirent[];
  memfd(name: string, allowSealing: boolean): number;
  addSeals(fd: number, seals: number): void;
  /** In-kernel copy of len bytes (copy_file_range, sendfile) from one file to another; returns the bytes copied. */
  copyFile(from: number, to: number, len: number): number;
  /**
   * Writes the pages (4 KiB) of a file that are not zero to the same places of another, which has zeroes there: holes stay holes.
   * Returns the bytes written.
   */
  copyPages(from: number, to: number): number;

  // mount
  mount(source: string, target: string, fstype: string, flags: number, data: string): void;
  umount(target: string, flags: number): void;
  openTree(dirfd: number, path: string, flags: number): number;
  moveMount(fromFd: number, fromPath: string, toFd: number, toPath: string, flags: number): void;
  mountSetattr(dirfd: number, path: string, flags: number, attr: MountAttr): void;
  fsopen(fstype: string, flags: number): number;
  fsconfigString(fd: number, key: string, value: string): void;
  fsconfigFlag(fd: number, key: string): void;
  fsconfigFd(fd: number, key: string, value: number): void;
  fsconfigCreate(fd: number): void;
  fsmount(fd: number, flags: number, attr: number): number;
  /** Own: refused in a host program. */
  pivotRoot(newRoot: string, putOld: string): void;

  // stream
  /** One read of at most max bytes; empty = end of file. */
  read(fd: number, max: number): Promise<Uint8Array>;
  /** All bytes. */
  write(fd: number, bytes: Uint8Array): Promise<void>;
  /** Forgets past readiness, resolves at the next readability edge (a virtio-serial port whose host went away reads 0 at once). */
  readableEdge(fd: number): Promise<void>;
  /** Ends every pending async op on fd with ECANCELED. */
  cancel(fd: number): void;
  /** Copies until the end of src, or until cancel(src); returns the bytes copied. */
  pump(src: number, dst: number): Promise<number>;
  /** [read, write] */
  pipe(): number[];
  /** F_SETPIPE_SZ; returns the size it got. */
  setPipeSize(fd: number, bytes: number): number;
  /** Waits until poll(2) reports input (pidfd, eventfd, netlink, inotify). */
  readable(fd: number): Promise<void>;
  /** A non-blocking eventfd(2) at 0. */
  eventfd(): number;
  /** A non-blocking inotify(7) descriptor that watches one path for the events of the mask (IN_*). */
  inotify(path: string, mask: number): number;

  // block
  /** One read of at most max bytes into native memory; len 0 = end of file (no block then). */
  readBlock(fd: number, max: number): Promise<Block>;
  /** Reads exactly len bytes into native memory (a frame's payload); ECONNRESET at a premature end. */
  readBlockExact(fd: number, len: number): Promise<Block>;
  /** Writes head, then the block, all of it; frees the block, also when it fails. */
  writeBlock(fd: number, head: Uint8Array, block: number): Promise<void>;
  freeBlock(block: number): void;

  // socket
  /** Does not remove what is at the path: EADDRINUSE. mode: the socket file's from its first moment on (0o777 less the umask). */
  unixListen(path: string, backlog: number, mode?: number): number;
  /** ETIMEDOUT when the listener's backlog stays full for 10 s. */
  unixConnect(path: string): Promise<number>;
  accept(fd: number): Promise<number>;
  /** AF_UNIX; type: SOCK.STREAM, DGRAM, SEQPACKET. */
  socketpair(type: number): number[];
  /** SCM_RIGHTS with the first byte. */
  sendFds(fd: number, bytes: Uint8Array, fds: number[]): Promise<void>;
  /** data empty = end of file; MSG_CMSG_CLOEXEC. */
  recvFds(fd: number, max: number): Promise<Received>;
  /** SO_PEERCRED */
  unixPeer(fd: number): UnixPeer;
  shutdown(fd: number, how: number): void;
  vsockListen(port: number): number;
  vsockAccept(fd: number): Promise<VsockAccepted>;
  vsockConnect(cid: number, port: number): Promise<number>;

  // inet
  /** type: SOCK.DGRAM, or SOCK.STREAM, which listens. Port 0: one that is free, see inetPort. Non-blocking. */
  inetBind(type: number, address: string, port: number): number;
  /** The port that a socket is bound to. */
  inetPort(fd: number): number;
  /** type: SOCK.DGRAM (for read and write then), SOCK.STREAM. */
  inetConnect(type: number, address: string, port: number): Promise<number>;
  /** One datagram, cut to max bytes, and its sender. */
  receiveFrom(fd: number, max: number): Promise<Datagram>;
  /** One datagram, if the socket's buffer has room: EAGAIN. */
  sendTo(fd: number, bytes: Uint8Array, address: string, port: number): void;

  // netlink
  /** Bound to the multicast groups given (a mask; 0: none). Non-blocking; wait with readable. */
  netlink(protocol: number, groups: number): number;
  /** A socket in another network namespace, without multicast groups. A thread of its own makes it there: the caller's stay where they are. */
  netlinkIn(namespace: number, protocol: number): number;
  /** Sends one netlink request (header included) and returns the bodies of all its replies, until ACK or DONE; an error reply throws its errno. */
  netlinkRequest(fd: number, message: Uint8Array): Uint8Array[];

  // tun
  /** Makes a tap of an open /dev/net/tun, in this thread's network namespace: frames with a virtio-net header, no packet information. It goes with its last descriptor. EBUSY: the name is taken. */
  tapCreate(fd: number, name: string): void;

  // bpf
  /** Loads a program, given as two words an instruction (struct bpf_insn), and attaches it to a cgroup of v2 beside those it has; it goes with the cgroup. type: BPF_PROG_TYPE_*; attach: BPF_CGROUP_*, expected at loading too. */
  bpfAttach(cgroup: string, type: number, attach: number, program: number[]): void;
  /** Loads a program, and links it to a network namespace, both given as for bpfAttach. The descriptor's close ends that. */
  bpfLink(target: number, type: number, attach: number, program: number[]): number;
  /** A map of sockets by number, from 0 on (BPF_MAP_TYPE_SOCKMAP), for programs that have its descriptor. */
  bpfSockets(sockets: number[]): number;

  // terminal
  /** From /dev/ptmx. */
  openPty(): PtyPair;
  isatty(fd: number): boolean;
  getWinsize(fd: number): Winsize;
  setWinsize(fd: number, size: Winsize): void;
  /** Raw mode; returns the old settings, opaque, for setTermios. */
  makeRaw(fd: number): Uint8Array;
  setTermios(fd: number, termios: Uint8Array): void;

  // kvm
  /** Creates a VM with one vCPU and goes the way of a booting kernel, from real to long mode; false when the kernel's KVM cannot. ENOENT/EACCES of /dev/kvm throw. */
  kvmProbe(): boolean;

  // vhost
  /** Gives an open /dev/vhost-vsock the guest's context id. EADDRINUSE: another guest has it; EINVAL: none that a guest may have. */
  vhostVsockSetCid(fd: number, cid: number): void;
}
