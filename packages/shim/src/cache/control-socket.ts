import { deadline, Fd, isSysError, KataError, ops } from "@kata-containers/sys";

/** Where an idle daemon finds its control socket. */
export const IDLE_CONTROL_FD = 3;

/** A configuration is a few kilobytes. */
const MAX_BYTES = 1 << 20;
const READ_BYTES = 1 << 16;
const NEWLINE = 0x0a;

export type Message = Readonly<Record<string, unknown>>;

/** What came, and the descriptors that came along, now the receiver's. */
export interface Received {
  readonly message: Message;
  readonly fds: readonly Fd[];
}

/** A stream socket that carries JSON, one object a line, with descriptors. What comes with descriptors is answered before more is said. */
export class ControlSocket implements Disposable {
  readonly fd: Fd;
  /** Bytes of what was not received yet. */
  #rest: Uint8Array = new Uint8Array();

  constructor(fd: Fd) {
    this.fd = fd;
  }

  /**
   * Closes it, unless the other side is a process of this one's user: both sides do what the other one says.
   * @param what "it is served" by that user
   * @throws KataError PermissionDenied
   */
  checkPeer(what: string): void {
    const { uid } = ops.unixPeer(this.fd.number);
    if (uid === ops.geteuid()) return;
    this.fd.close();
    throw new KataError("PermissionDenied", `${what} by another user (${uid})`);
  }

  /** @param fds the other side gets duplicates of them */
  async send(message: Message, fds: readonly number[] = []): Promise<void> {
    const bytes = ops.utf8Encode(`${JSON.stringify(message)}\n`);
    if (fds.length === 0) await ops.write(this.fd.number, bytes);
    else await ops.sendFds(this.fd.number, bytes, [...fds]);
  }

  /**
   * The next message; undefined: the other side is gone.
   * @throws KataError InvalidArgument for what is none
   */
  async receive(): Promise<Received | undefined> {
    const fds: Fd[] = [];
    try {
      for (;;) {
        const line = this.#nextLine();
        if (line !== undefined) return { message: parse(line), fds };
        const part = await ops.recvFds(this.fd.number, READ_BYTES);
        fds.push(...part.fds.map((number) => new Fd(number)));
        if (part.data.length === 0) break;
        this.#rest = joined(this.#rest, part.data);
      }
    } catch (error) {
      closeAll(fds);
      // Whoever ends without having read all resets the connection.
      if (isSysError(error, "ECONNRESET")) return undefined;
      throw error;
    }
    closeAll(fds);
    return undefined;
  }

  /**
   * The same, from one that may be late: to be closed then.
   * @param who the other side, for the error
   * @throws KataError DeadlineExceeded after so many milliseconds; what comes later is dropped
   */
  async receiveWithin(ms: number, who: string): Promise<Received | undefined> {
    const received = this.receive();
    const late = () => new KataError("DeadlineExceeded", `${who} said nothing within ${ms / 1000} s`);
    try {
      return await deadline(received, ms, late);
    } catch (error) {
      received.then(
        (late) => closeAll(late?.fds ?? []),
        () => {},
      );
      throw error;
    }
  }

  #nextLine(): string | undefined {
    const end = this.#rest.indexOf(NEWLINE);
    if (end > MAX_BYTES || (end < 0 && this.#rest.length > MAX_BYTES))
      throw new KataError("InvalidArgument", "a message that is too long");
    if (end < 0) return undefined;
    const line = ops.utf8Decode(this.#rest.subarray(0, end));
    this.#rest = this.#rest.slice(end + 1);
    return line;
  }

  [Symbol.dispose](): void {
    this.fd.close();
  }
}

/** The first descriptors that came; those beyond are closed. */
export function takeFds({ fds }: Received, most: number): readonly Fd[] {
  closeAll(fds.slice(most));
  return fds.slice(0, most);
}

export function closeAll(fds: readonly Fd[]): void {
  for (const fd of fds) fd.close();
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

function parse(line: string): Message {
  try {
    const value: unknown = JSON.parse(line);
    if (isObject(value)) return value;
  } catch {
    // Told below.
  }
  throw new KataError("InvalidArgument", "a message that is no JSON object");
}

/** Of what `JSON.parse` gives. */
export function isObject(value: unknown): value is Message {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
