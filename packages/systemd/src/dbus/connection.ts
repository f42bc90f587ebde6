import { Fd, isSysError, KataError, ops } from "@kata-containers/sys";
import {
  decodeMessage,
  encodeCall,
  HEAD_BYTES,
  MESSAGE,
  type Message,
  type MethodCall,
  messageLength,
} from "./message.ts";
import { malformed } from "./reader.ts";
import type { Value } from "./value.ts";

const MAX_MESSAGE_BYTES = 1 << 20;
const MAX_LINE_BYTES = 1024;
/** Signals that came while a reply was waited for: nobody needs as many. */
const MAX_SIGNALS = 1000;
/** By the socket's credentials, whatever user we take ourselves for: the bus may be outside of our user namespace, where we are another. */
const AUTHENTICATE = "\0AUTH EXTERNAL\r\nDATA\r\n";

/** The other side answered a call by an error: "org.freedesktop.systemd1.UnitExists". */
export class BusError extends KataError {
  readonly errorName: string;

  constructor(errorName: string, message: string) {
    super("Internal", message);
    this.errorName = errorName;
  }
}

/** A client's connection to a message bus, for one task at a time. */
export class BusConnection implements Disposable {
  readonly #socket: Fd;
  readonly #timer: ReturnType<typeof setTimeout>;
  #isLate = false;
  #serial = 0;
  #unread = new Uint8Array(0);
  readonly #signals: Message[] = [];

  private constructor(socket: Fd, timeoutMs: number) {
    this.#socket = socket;
    this.#timer = setTimeout(() => {
      this.#isLate = true;
      ops.cancel(socket.number);
    }, timeoutMs);
  }

  /**
   * Connects, and is who the socket's credentials say (SASL's EXTERNAL).
   *
   * @param timeoutMs after which whatever is under way on the connection fails with DeadlineExceeded
   * @throws KataError Unavailable, Unauthenticated
   */
  static async open(path: string, timeoutMs: number): Promise<BusConnection> {
    const connection = new BusConnection(new Fd(await connect(path)), timeoutMs);
    try {
      await connection.#authenticate();
      await connection.call({
        destination: "org.freedesktop.DBus",
        path: "/org/freedesktop/DBus",
        interface: "org.freedesktop.DBus",
        member: "Hello",
        signature: "",
        body: [],
      });
      return connection;
    } catch (error) {
      connection[Symbol.dispose]();
      throw error;
    }
  }

  /** @returns the reply's values. @throws BusError, KataError DeadlineExceeded, Unavailable, InvalidArgument */
  async call(call: MethodCall): Promise<readonly Value[]> {
    const serial = ++this.#serial;
    await this.#within(ops.write(this.#socket.number, encodeCall(serial, call)));
    for (;;) {
      const message = await this.#receive();
      if (message.type === MESSAGE.SIGNAL) this.#keep(message);
      if (message.replySerial !== serial) continue;
      if (message.type === MESSAGE.REPLY) return message.body;
      const [text] = message.body;
      const name = message.errorName ?? "unknown error";
      throw new BusError(name, `${call.member}: ${typeof text === "string" ? text : name}`);
    }
  }

  /** The next signal, come already or to come, that is wanted. @throws as {@link call} */
  async signal(wanted: (signal: Message) => boolean): Promise<Message> {
    const index = this.#signals.findIndex(wanted);
    const [kept] = index < 0 ? [] : this.#signals.splice(index, 1);
    if (kept !== undefined) return kept;
    for (;;) {
      const message = await this.#receive();
      if (message.type === MESSAGE.SIGNAL && wanted(message)) return message;
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#socket.close();
  }

  #keep(signal: Message): void {
    if (this.#signals.length >= MAX_SIGNALS) this.#signals.shift();
    this.#signals.push(signal);
  }

  async #authenticate(): Promise<void> {
    await this.#within(ops.write(this.#socket.number, ops.utf8Encode(AUTHENTICATE)));
    const asks = await this.#line();
    const answer = asks === "DATA" ? await this.#line() : asks;
    if (!answer.startsWith("OK "))
      throw new KataError("Unauthenticated", `the message bus refused us: ${answer}`);
    await this.#within(ops.write(this.#socket.number, ops.utf8Encode("BEGIN\r\n")));
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#unread.indexOf(0x0a);
      if (end >= 0) return ops.utf8Decode(this.#take(end + 1)).trimEnd();
      if (this.#unread.length > MAX_LINE_BYTES) throw malformed("a line of more than 1 KiB");
      await this.#fill();
    }
  }

  async #receive(): Promise<Message> {
    while (this.#unread.length < HEAD_BYTES) await this.#fill();
    const length = messageLength(this.#unread.subarray(0, HEAD_BYTES));
    if (length > MAX_MESSAGE_BYTES) throw malformed(`${length} bytes`);
    while (this.#unread.length < length) await this.#fill();
    return decodeMessage(this.#take(length));
  }

  #take(count: number): Uint8Array {
    const taken = this.#unread.slice(0, count);
    this.#unread = this.#unread.slice(count);
    return taken;
  }

  async #fill(): Promise<void> {
    const more = await this.#within(ops.read(this.#socket.number, 65536));
    if (more.length === 0) throw new KataError("Unavailable", "the message bus closed the connection");
    const joined = new Uint8Array(this.#unread.length + more.length);
    joined.set(this.#unread);
    joined.set(more, this.#unread.length);
    this.#unread = joined;
  }

  async #within<T>(operation: Promise<T>): Promise<T> {
    if (!this.#isLate) {
      try {
        return await operation;
      } catch (error) {
        if (!this.#isLate) throw KataError.from(error, "message bus");
      }
    }
    throw new KataError("DeadlineExceeded", "the message bus did not answer in time");
  }
}

async function connect(path: string): Promise<number> {
  try {
    return await ops.unixConnect(path);
  } catch (error) {
    const why = isSysError(error) ? error.code : String(error);
    throw new KataError("Unavailable", `cannot reach the message bus at ${path}: ${why} (is dbus running?)`, {
      cause: error,
    });
  }
}
