import { type Ops, type Received, type SpawnArgs, SysError, setOps } from "@kata-containers/sys";
import { EMPTY_STAT } from "@kata-containers/sys/testing";

/** What descriptors stand for; gone when the last one is closed. */
interface Open {
  descriptors: number;
  last?(): void;
  /** Another process has it: one more descriptor, whose number is in that one's table. */
  readonly socket?: FakeSocket;
  readonly process?: FakeProcess;
  readonly listener?: FakeListener;
}

interface Piece {
  readonly bytes: Uint8Array;
  readonly passed: readonly Open[];
}

class FakeSocket implements Open {
  descriptors = 0;
  readonly socket = this;
  peer: FakeSocket | undefined;
  #pieces: Piece[] = [];
  #wake: (() => void)[] = [];
  #reset = false;

  deliver(piece: Piece): void {
    if (this.descriptors === 0) throw new SysError("EPIPE", "write");
    for (const each of piece.passed) each.descriptors++;
    this.#pieces.push(piece);
    this.wake();
  }

  /** @param stale whether the reader has closed its descriptor */
  async next(max: number, stale: () => boolean): Promise<Piece> {
    while (this.#pieces.length === 0) {
      if (this.#reset) throw new SysError("ECONNRESET", "recvmsg");
      if (this.peer === undefined || this.peer.descriptors === 0)
        return { bytes: new Uint8Array(), passed: [] };
      await new Promise<void>((resolve) => void this.#wake.push(resolve));
      if (stale()) throw new SysError("ECANCELED", "recvmsg");
    }
    const [{ bytes, passed }] = this.#pieces.splice(0, 1) as [Piece];
    if (bytes.length > max) this.#pieces.unshift({ bytes: bytes.subarray(max), passed: [] });
    return { bytes: bytes.subarray(0, max), passed };
  }

  wake(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** unix(7): whoever closes it with something unread resets the connection. */
  last(): void {
    if (this.peer !== undefined && this.#pieces.length > 0) this.peer.#reset = true;
    for (const { passed } of this.#pieces) for (const each of passed) release(each);
    this.#pieces = [];
    this.peer?.wake();
  }
}

class FakeListener implements Open {
  descriptors = 0;
  readonly listener = this;
  readonly waiting: FakeSocket[] = [];
  wake: () => void = () => {};
}

/** A process that was started. */
export class FakeProcess implements Open {
  descriptors = 0;
  readonly process = this;
  readonly signals: number[] = [];
  readonly args: SpawnArgs;
  readonly #files: Open[];
  #end: () => void = () => {};
  readonly ended: Promise<void>;
  over = false;
  /** It takes no notice of signals. */
  stubborn = false;

  constructor(args: SpawnArgs, files: Open[]) {
    this.args = args;
    this.#files = files;
    for (const each of files) each.descriptors++;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  end(): void {
    if (this.over) return;
    this.over = true;
    for (const each of this.#files) release(each);
    this.#end();
  }

  signal(signal: number): void {
    if (this.over) throw new SysError("ESRCH", "pidfd_send_signal");
    this.signals.push(signal);
    if (!this.stubborn) this.end();
  }
}

function release(open: Open): void {
  if (--open.descriptors === 0) open.last?.();
}

/** Unix sockets, descriptors that are passed, and processes, in memory; with the table of one process's descriptors, the test's. */
export class FakeSockets {
  readonly #open = new Map<number, Open>();
  readonly #paths = new Map<string, { readonly listener: FakeListener; readonly ino: number }>();
  readonly processes: FakeProcess[] = [];
  readonly events: string[] = [];
  /** Of the other side of every socket. */
  peerUid = 0;
  #numbers = 100;
  #inodes = 1;

  /** @param started what a process does whose descriptor there was passed one @param more ops besides */
  constructor(started: (process: FakeProcess, control: number) => void, more: Partial<Ops> = {}) {
    const ops: Partial<Ops> = {
      socketpair: () => {
        const [one, other] = [new FakeSocket(), new FakeSocket()];
        one.peer = other;
        other.peer = one;
        return [this.#add(one), this.#add(other)];
      },
      close: (fd) => this.#close(fd),
      write: async (fd, bytes) => this.#send(fd, bytes, []),
      writeSync: (fd, bytes) => this.#send(fd, bytes, []),
      sendFds: async (fd, bytes, fds) => {
        this.events.push("descriptors sent");
        this.#send(fd, bytes, fds);
      },
      recvFds: (fd, max) => this.#receive(fd, max),
      unixListen: (path) => this.#listen(path),
      unixConnect: async (path) => this.#connect(path),
      accept: (fd) => this.#accept(fd),
      unixPeer: () => ({ pid: 1, uid: this.peerUid, gid: 0 }),
      geteuid: () => 0,
      getpid: () => 7,
      spawn: (args) => {
        const process = new FakeProcess(
          args,
          args.fds.map(({ from }) => this.#at(from)),
        );
        this.processes.push(process);
        this.events.push("started");
        const [{ from = -1 } = {}] = args.fds;
        // The process's own descriptor of it, in the test's table.
        started(process, this.#add(this.#at(from)));
        return { pid: this.processes.length, pidfd: this.#add(process) };
      },
      pidfdEnded: (fd) => this.#process(fd).ended,
      pidfdSendSignal: (fd, signal) => this.#process(fd).signal(signal),
      openTree: () => this.#add({ descriptors: 0 }),
      utf8Encode: (text) => new TextEncoder().encode(text),
      utf8Decode: (bytes) => new TextDecoder().decode(bytes),
      statIfThere: (path) => this.#stat(path),
      stat: (path) => {
        const found = this.#stat(path);
        if (found === undefined) throw new SysError("ENOENT", "stat", path);
        return found;
      },
      unlink: (path) => void this.#paths.delete(path),
      signalOpen: () => this.#add({ descriptors: 0 }),
      signalRead: () => new Promise(() => {}),
      realtimeMs: () => 0,
      ...more,
    };
    setOps(Object.assign(Object.create(null), ops) as Ops);
  }

  /** The test's own descriptors: what is more than before leaks. */
  get descriptors(): number {
    return this.#open.size;
  }

  /** A descriptor of something. */
  open(): number {
    return this.#add({ descriptors: 0 });
  }

  /** Somebody else listens at the path now. */
  replace(path: string): void {
    this.#paths.set(path, { listener: new FakeListener(), ino: this.#inodes++ });
  }

  isThere(path: string): boolean {
    return this.#paths.has(path);
  }

  #add(open: Open): number {
    open.descriptors++;
    const number = this.#numbers++;
    this.#open.set(number, open);
    return number;
  }

  #at(fd: number): Open {
    const open = this.#open.get(fd);
    if (open === undefined) throw new SysError("EBADF", "fd");
    return open;
  }

  #close(fd: number): void {
    const open = this.#at(fd);
    this.#open.delete(fd);
    release(open);
    open.socket?.wake();
    open.listener?.wake();
  }

  #send(fd: number, bytes: Uint8Array, fds: readonly number[]): void {
    const peer = this.#at(fd).socket?.peer;
    if (peer === undefined) throw new SysError("ENOTCONN", "write");
    peer.deliver({ bytes: bytes.slice(), passed: fds.map((each) => this.#at(each)) });
  }

  async #receive(fd: number, max: number): Promise<Received> {
    const { socket } = this.#at(fd);
    if (socket === undefined) throw new SysError("ENOTSOCK", "recvmsg");
    const { bytes, passed } = await socket.next(max, () => !this.#open.has(fd));
    const fds = passed.map((each) => this.#add(each));
    for (const each of passed) release(each);
    return { data: bytes, fds };
  }

  #process(fd: number): FakeProcess {
    const { process } = this.#at(fd);
    if (process === undefined) throw new SysError("EINVAL", "pidfd");
    return process;
  }

  #listen(path: string): number {
    if (this.#paths.has(path)) throw new SysError("EADDRINUSE", "bind", path);
    const listener = new FakeListener();
    this.#paths.set(path, { listener, ino: this.#inodes++ });
    return this.#add(listener);
  }

  #connect(path: string): number {
    const listener = this.#paths.get(path)?.listener;
    if (listener === undefined) throw new SysError("ENOENT", "connect", path);
    if (listener.descriptors === 0) throw new SysError("ECONNREFUSED", "connect", path);
    const [one, other] = [new FakeSocket(), new FakeSocket()];
    one.peer = other;
    other.peer = one;
    // Until it is accepted the listener holds it.
    other.descriptors++;
    listener.waiting.push(other);
    listener.wake();
    return this.#add(one);
  }

  async #accept(fd: number): Promise<number> {
    const { listener } = this.#at(fd);
    if (listener === undefined) throw new SysError("EINVAL", "accept");
    while (listener.waiting.length === 0) {
      await new Promise<void>((resolve) => {
        listener.wake = resolve;
      });
      if (!this.#open.has(fd)) throw new SysError("ECANCELED", "accept");
    }
    const [socket] = listener.waiting.splice(0, 1) as [FakeSocket];
    const number = this.#add(socket);
    socket.descriptors--;
    return number;
  }

  #stat(path: string) {
    const ino = this.#paths.get(path)?.ino;
    const some = { ...EMPTY_STAT, dev: 1 };
    if (ino !== undefined) return { ...some, ino, mode: 0o140600 };
    // Every directory is there.
    return path.endsWith(".sock") ? undefined : { ...some, mode: 0o040755 };
  }
}
