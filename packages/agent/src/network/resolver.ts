import {
  type AbortSignalLike,
  acceptAll,
  DNS,
  deadline,
  Fd,
  isSysError,
  KataError,
  ops,
  readDnsMessage,
  SOCK,
  SysError,
  sleep,
  writeDnsMessage,
} from "@kata-containers/sys";
import { redirectPort } from "./port-redirect.ts";

/** Of a datagram: RFC 6891 recommends 4096. */
const MAX_DATAGRAM_BYTES = 4096;
/** Queries without an answer: whoever asks more asks again, or in vain. */
const MAX_OPEN = 64;
const MAX_CONNECTIONS = 16;
/** Those that ask ask again after 5 s; later nobody waits for an answer. */
const ANSWER_MS = 10_000;
const TRIES = 16;
const PASSING_WAIT_MS = 100;

/** A query that the host is to be asked. */
export type Query = { readonly id: number; readonly tcp: boolean; readonly message: Uint8Array };

/** Takes the answer; empty: there is none. */
type Asker = (answer: Uint8Array) => void;

/** Names: what asks in the guest at an address of its loopback interface is answered by the host. Nothing is open before `listen`. */
export class Resolver {
  readonly #open = new Map<number, Asker>();
  #new: Query[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #addresses = new Set<string>();
  #ids = 0;
  #connections = 0;

  /** Once more for the same address does nothing. @throws KataError InvalidArgument; SysError of bind(2), bpf(2) */
  listen(address: string): void {
    if (!/^127(\.\d{1,3}){3}$/.test(address))
      throw new KataError("InvalidArgument", `address ${JSON.stringify(address)}: not of 127.0.0.0/8`);
    if (this.#addresses.has(address)) return;
    const { datagrams, connections, port } = bindBoth(address);
    try {
      redirectPort(address, DNS.PORT, port);
    } catch (error) {
      datagrams.close();
      connections.close();
      throw error;
    }
    this.#addresses.add(address);
    void this.#receive(datagrams);
    void this.#accept(connections);
  }

  /** The queries that have come since the last call, when there are any. A caller that is gone takes none. */
  async next(signal: AbortSignalLike): Promise<readonly Query[]> {
    if (this.#new.length === 0) await this.#news(signal);
    const queries = this.#new;
    this.#new = [];
    return queries;
  }

  /** Of a query that is not waited for any more: nothing. */
  answer(id: number, message: Uint8Array): void {
    const asker = this.#open.get(id);
    this.#open.delete(id);
    asker?.(message);
  }

  #news(signal: AbortSignalLike): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = () => {
        signal.removeEventListener("abort", gone);
        resolve();
      };
      const gone = () => {
        const at = this.#waiting.indexOf(wake);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(signal.reason);
      };
      this.#waiting.push(wake);
      signal.addEventListener("abort", gone);
    });
  }

  /** @returns whether the query is taken */
  #ask(message: Uint8Array, tcp: boolean, asker: Asker): boolean {
    if (message.length < DNS.MIN_BYTES || this.#open.size >= MAX_OPEN) return false;
    this.#ids = (this.#ids + 1) >>> 0;
    const id = this.#ids;
    const timer = setTimeout(() => {
      this.#new = this.#new.filter((each) => each.id !== id);
      this.answer(id, new Uint8Array(0));
    }, ANSWER_MS);
    this.#open.set(id, (answer) => {
      clearTimeout(timer);
      asker(answer);
    });
    this.#new.push({ id, tcp, message });
    this.#waiting.shift()?.();
    return true;
  }

  async #receive(socket: Fd): Promise<never> {
    for (;;) {
      try {
        const { data, address, port } = await ops.receiveFrom(socket.number, MAX_DATAGRAM_BYTES);
        this.#ask(data, false, (answer) => {
          if (answer.length > 0) sendIfPossible(socket, answer, address, port);
        });
      } catch {
        // As a query that was lost. Without memory nothing is received for a while.
        await sleep(PASSING_WAIT_MS);
      }
    }
  }

  #accept(listener: Fd): Promise<void> {
    return acceptAll(
      () => ops.accept(listener.number),
      () => true,
      (number) => {
        const connection = new Fd(number);
        if (this.#connections < MAX_CONNECTIONS) void this.#serve(connection);
        else connection.close();
      },
    );
  }

  /** One query after the other, until one has no answer, or none comes. */
  async #serve(connection: Fd): Promise<void> {
    this.#connections++;
    try {
      const late = () => new KataError("DeadlineExceeded", "who asks is silent");
      for (;;) {
        const message = await deadline(readDnsMessage(connection), ANSWER_MS, late);
        const answer = await new Promise<Uint8Array>((resolve, reject) => {
          if (!this.#ask(message, true, resolve)) reject(new KataError("ResourceExhausted", "no room"));
        });
        if (answer.length === 0) return;
        await deadline(writeDnsMessage(connection, answer), ANSWER_MS, late);
      }
    } catch {
      // Whoever asked has gone, or is to go: closing tells.
    } finally {
      this.#connections--;
      connection.close();
    }
  }
}

/** UDP and TCP, at the same port of the address. */
function bindBoth(address: string): { datagrams: Fd; connections: Fd; port: number } {
  for (let tries = 1; ; tries++) {
    const datagrams = new Fd(ops.inetBind(SOCK.DGRAM, address, 0));
    const port = ops.inetPort(datagrams.number);
    try {
      return { datagrams, port, connections: new Fd(ops.inetBind(SOCK.STREAM, address, port)) };
    } catch (error) {
      datagrams.close();
      if (!isSysError(error, "EADDRINUSE") || tries === TRIES) throw error;
    }
  }
}

/** A datagram may be lost. */
function sendIfPossible(socket: Fd, message: Uint8Array, address: string, port: number): void {
  try {
    ops.sendTo(socket.number, message, address, port);
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
  }
}
