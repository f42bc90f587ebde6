// The op table's typed face. GENERATED from crates/sys (make generate); first version written by hand as the contract.
// Conventions: a descriptor is its number; bytes are Uint8Array; times are milliseconds; every op throws SysError.
// A descriptor that an op returns is close-on-exec. `async` ops wait on epoll, never on a thread.

export type Dirent = { name: string; type: string }; // type: "file"|"dir"|"symlink"|"fifo"|"socket"|"char"|"block"|"unknown"
export type Stat = { dev: number; ino: number; mode: number; nlink: number; uid: number; gid: number; rdev: number; size: number; mtimeMs: number; blocks: number };
export type StatFs = { type: number; bsize: number; blocks: number; bavail: number };
export type SpawnFd = { from: number; to: number };
export type SpawnArgs = {
  /** Path of the program, or use execFd. */
  path?: string; execFd?: number;
  argv: string[]; env: string[]; // "NAME=value"
  cwd?: string;
  /** Descriptors the child gets, as numbered; every other one is closed. 0-2 absent: /dev/null. */
  fds: SpawnFd[];
  /** setns on each, in order, before anything else (descriptors of /proc/<pid>/ns/*). */
  join?: number[];
  /** unshare(2) flags, after join. */
  unshare?: number;
  setsid?: boolean;
  /** Make fd `to` 0 the controlling terminal (needs setsid). */
  ctty?: boolean;
  /** Fork once more and let the intermediate exit: the child is nobody's that the caller knows; pidfd still works for polling, not for waitid. */
  doubleFork?: boolean;
  /** PR_SET_PDEATHSIG, then a check that the parent still lives. */
  parentDeathSignal?: number;
};
export type Spawned = { pid: number; pidfd: number };
export type ExitStatus = { pid: number; code?: number; signal?: number }; // exactly one of code, signal
export type Received = { data: Uint8Array; fds: number[] };
export type Winsize = { row: number; col: number };
export type PtyPair = { master: number; slave: number; path: string };
export type Block = { block: number; len: number };
export type MountAttr = { set?: number; clear?: number; propagation?: number; usernsFd?: number };
export type OpenHow = { flags: number; mode?: number; resolve?: number };
export type Uname = { sysname: string; nodename: string; release: string; version: string; machine: string };
export type Rlimit = { soft: number; hard: number }; // RLIM_INFINITY: -1
export type MemoryUse = { rssKb: number; peakRssKb: number; pssKb: number };
export type UnixPeer = { pid: number; uid: number; gid: number };
export type VsockAccepted = { fd: number; cid: number; port: number };

export interface Ops {
  // engine
  args(): string[]; // argv, [0] = the program's name
  env(): string[];
  exit(code: number): void;
  monotonicMs(): number;
  /** Clock of the day, ms since the epoch. */
  realtimeMs(): number;
  utf8Encode(text: string): Uint8Array;
  utf8Decode(bytes: Uint8Array): string;
  random(len: number): Uint8Array; // getrandom(2)
  sha256(bytes: Uint8Array): Uint8Array;
  memoryUse(): MemoryUse;
  /** Source map of this program's bundle (JSON), read on demand. */
  sourceMap(): string;
  /** Resolves after ms, or at once when cancelled: true = elapsed, false = cancelled. `id` is the caller's, unique while pending. */
  sleep(id: number, ms: number): Promise<boolean>;
  sleepCancel(id: number): void;

  // process
  getpid(): number; getppid(): number; getuid(): number; getgid(): number; geteuid(): number;
  spawn(args: SpawnArgs): Spawned; // throws ENOENT/EACCES of the exec itself, syscall "execve", path
  /** waitid(P_PIDFD, WEXITED): waits for the child, reaps it. */
  waitPidfd(pidfd: number): Promise<ExitStatus>;
  /** Waits until the process has ended (poll on the pidfd), for processes that are not our children. */
  pidfdEnded(pidfd: number): Promise<void>;
  /** waitpid(-1, WNOHANG): for PID 1 and subreapers. undefined = nothing to reap. */
  reapAny(): ExitStatus | undefined;
  pidfdOpen(pid: number): number;
  pidfdSendSignal(pidfd: number, signal: number): void;
  kill(pid: number, signal: number): void;
  setns(fd: number, flags: number): void;
  unshare(flags: number): void;
  setsid(): number;
  umask(mask: number): number;
  chdir(path: string): void;
  chroot(path: string): void;
  prctl(option: number, arg2: number, arg3: number): number;
  prlimit(pid: number, resource: number, limit?: Rlimit): Rlimit; // returns the old one
  cpuCount(): number; // sched_getaffinity
  uname(): Uname;
  sethostname(name: string): void;
  setDomainname(name: string): void;
  setRealtime(sec: number, usec: number): void;
  reboot(cmd: number): void;
  sync(): void;
  finitModule(fd: number, params: string): void;
  addEntropy(bytes: Uint8Array): void; // RNDADDENTROPY, then RNDRESEEDCRNG
  /** Blocks these signals in the process and returns a signalfd; read with signalRead. spawn() unblocks all in children. */
  signalOpen(signals: number[]): number;
  signalRead(fd: number): Promise<number>;

  // fs (synchronous: local files)
  open(path: string, flags: number, mode: number): number;
  openat2(dirfd: number, path: string, how: OpenHow): number;
  close(fd: number): void;
  dup(fd: number): number;
  dup2(from: number, to: number): void;
  setCloexec(fd: number, on: boolean): void;
  fileFlags(fd: number): number; // F_GETFL
  setNonblock(fd: number, on: boolean): void;
  pread(fd: number, len: number, offset: number): Uint8Array;
  pwrite(fd: number, bytes: Uint8Array, offset: number): number;
  /** Whole file; EFBIG past maxBytes. Reads until EOF (works on /proc). */
  readFile(path: string, maxBytes: number): Uint8Array;
  /** open(flags|O_WRONLY|O_CLOEXEC), write all, close. */
  writeFile(path: string, bytes: Uint8Array, flags: number, mode: number): void;
  /** Writes everything to fd synchronously (log lines, files). */
  writeSync(fd: number, bytes: Uint8Array): void;
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
  link(from: string, to: string): void;
  mknod(path: string, mode: number, major: number, minor: number): void;
  chmod(path: string, mode: number): void;
  fchmod(fd: number, mode: number): void;
  chown(path: string, uid: number, gid: number): void; // lchown
  fchown(fd: number, uid: number, gid: number): void;
  stat(path: string): Stat;
  lstat(path: string): Stat;
  fstat(fd: number): Stat;
  access(path: string, mode: number): void;
  statfs(path: string): StatFs;
  readdir(path: string): Dirent[];
  readdirFd(fd: number): Dirent[];
  memfd(name: string, allowSealing: boolean): number;
  addSeals(fd: number, seals: number): void;
  /** In-kernel copy of len bytes (copy_file_range, sendfile) from one file to another; returns the bytes copied. */
  copyFile(from: number, to: number, len: number): number;

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
  pivotRoot(newRoot: string, putOld: string): void;

  // streams: pipes, sockets, terminals, character devices (epoll, edge-triggered). Regular files work too, at once.
  /** One read of at most max bytes; empty = end of file. */
  read(fd: number, max: number): Promise<Uint8Array>;
  /** All bytes. */
  write(fd: number, bytes: Uint8Array): Promise<void>;
  /** Forgets past readiness, resolves at the next readability edge (a virtio-serial port whose host went away reads 0 at once). */
  readableEdge(fd: number): Promise<void>;
  /** Ends every pending async op on fd with ECANCELED. */
  cancel(fd: number): void;
  /** One read of at most max bytes into native memory; len 0 = EOF (no block then). */
  readBlock(fd: number, max: number): Promise<Block>;
  /** Reads exactly len bytes into native memory (a frame's payload); ECONNRESET at a premature end. */
  readBlockExact(fd: number, len: number): Promise<Block>;
  /** Writes head, then the block (from offset, len bytes), all of it; frees the block. */
  writeBlock(fd: number, head: Uint8Array, block: number): Promise<void>;
  freeBlock(block: number): void;
  /** Copies until EOF of src, or until cancel(src); returns the bytes copied. */
  pump(src: number, dst: number): Promise<number>;
  pipe(): number[]; // [read, write]
  setPipeSize(fd: number, bytes: number): number;
  /** epoll readiness of a descriptor that polls for something else (pidfd, eventfd, netlink, inotify). */
  readable(fd: number): Promise<void>;
  eventfd(): number;

  // sockets
  unixListen(path: string, backlog: number): number;
  unixConnect(path: string): Promise<number>;
  accept(fd: number): Promise<number>;
  socketpair(type: number): number[]; // AF_UNIX
  sendFds(fd: number, bytes: Uint8Array, fds: number[]): Promise<void>; // SCM_RIGHTS with the first byte
  recvFds(fd: number, max: number): Promise<Received>; // data empty = EOF; MSG_CMSG_CLOEXEC
  unixPeer(fd: number): UnixPeer; // SO_PEERCRED
  shutdown(fd: number, how: number): void;
  vsockListen(port: number): number;
  vsockAccept(fd: number): Promise<VsockAccepted>;
  vsockConnect(cid: number, port: number): Promise<number>;
  netlink(protocol: number, groups: number): number;
  /** Sends one netlink request and returns the payloads of all its replies (until ACK or DONE); an error reply throws its errno. */
  netlinkRequest(fd: number, message: Uint8Array): Uint8Array[];

  // terminals
  openPty(): PtyPair;
  isatty(fd: number): boolean;
  getWinsize(fd: number): Winsize;
  setWinsize(fd: number, size: Winsize): void;
  /** Raw mode; returns the old settings, opaque, for setTermios. */
  makeRaw(fd: number): Uint8Array;
  setTermios(fd: number, termios: Uint8Array): void;
  /** Clears ONLCR, as runc does on a new console. */
  clearOnlcr(fd: number): void;

  // kvm
  /** Creates a VM with one vCPU and runs a few instructions; false when the kernel's KVM cannot run them. ENOENT/EACCES of /dev/kvm throw. */
  kvmProbe(): boolean;
}
