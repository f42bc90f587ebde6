import { Any, ContainerdEvents } from "@kata-containers/protocols";
import { deadline, KataError, type Logger } from "@kata-containers/sys";
import type { Client } from "@kata-containers/ttrpc";
import type { EventEnvelope } from "./task-events.ts";

/** The longest that one attempt to connect, to send an event, or to run the publish binary takes, ms: containerd's own figure. */
export const SEND_MS = 5_000;

/** A way to containerd. */
export interface EventSender {
  /**
   * Resolves when containerd has the event. Bounded in time.
   * @throws KataError Unavailable when containerd was not reached or did not answer, and may not have the event; any other code
   *   is its answer
   */
  send(event: EventEnvelope): Promise<void>;
  close(): void;
}

/** How containerd is found: what it told the shim when it started it. */
export interface EventAddresses {
  /** TTRPC_ADDRESS: a path or "unix://" and a path; "" before containerd 1.3, and from CRI-O. */
  readonly ttrpc: string;
  /** The flag -address; "" from CRI-O. */
  readonly containerd: string;
  /** The flag -publish-binary. */
  readonly publishBinary: string;
}

/** What the senders do in the host's view of files. */
export interface EventHost {
  /** Connects to a unix socket. @returns undefined when nobody listens there @throws when it cannot */
  connect(path: string): Promise<Client | undefined>;
  /**
   * Runs a program, argv[0] being its path, with `stdin`; kills it after `timeoutMs`.
   * @returns its exit status, 128 + signal when it was killed @throws when it cannot be run
   */
  run(argv: readonly string[], stdin: Uint8Array, timeoutMs: number): Promise<number>;
}

/** containerd's ttRPC socket; before containerd 1.3 its publish binary; where there is neither, as with CRI-O, the log. */
export function eventSender(addresses: EventAddresses, host: EventHost, log: Logger): EventSender {
  const { ttrpc, containerd, publishBinary } = addresses;
  if (ttrpc !== "") return ttrpcSender(() => host.connect(ttrpc.replace(/^unix:\/\//, "")));
  if (containerd !== "") return binarySender(publishBinary, containerd, host.run);
  return {
    async send({ topic }) {
      log.debug("event that nobody takes", { topic });
    },
    close() {},
  };
}

/**
 * Sends by containerd.services.events.ttrpc.v1.Events, on one connection that is made anew when it has ended.
 * @param connect resolves with undefined when containerd is not there
 */
export function ttrpcSender(connect: () => Promise<Client | undefined>): EventSender {
  return new TtrpcSender(connect);
}

class TtrpcSender implements EventSender {
  readonly #connect: () => Promise<Client | undefined>;
  #client: Client | undefined;
  #closed = false;

  constructor(connect: () => Promise<Client | undefined>) {
    this.#connect = connect;
  }

  async send(event: EventEnvelope): Promise<void> {
    const client = this.#client ?? (await this.#connected());
    try {
      await client.unary(ContainerdEvents.Forward, { envelope: event }, { timeoutMs: SEND_MS });
    } catch (caught) {
      const { code } = KataError.from(caught);
      if (code !== "Unavailable" && code !== "DeadlineExceeded") throw caught;
      this.#drop(client);
      throw unavailable(caught, "no answer of containerd's");
    }
  }

  close(): void {
    this.#closed = true;
    this.#client?.close();
    this.#client = undefined;
  }

  async #connected(): Promise<Client> {
    const client = await this.#connectInTime();
    if (client === undefined) throw new KataError("Unavailable", "containerd is not there");
    this.#client = client;
    client.closed.then(() => this.#drop(client));
    return client;
  }

  async #connectInTime(): Promise<Client | undefined> {
    let wanted = true;
    const connect = async () => {
      const client = await this.#connect();
      if (wanted && !this.#closed) return client;
      client?.close();
      return undefined;
    };
    try {
      return await deadline(connect(), SEND_MS, () => new KataError("Unavailable", "no connection in time"));
    } catch (error) {
      wanted = false;
      throw unavailable(error, "cannot connect to containerd");
    }
  }

  #drop(client: Client): void {
    if (this.#client === client) this.#client = undefined;
    client.close();
  }
}

/** Runs containerd's own program for each event. The event's time is then containerd's: the program does not take one. */
export function binarySender(binary: string, address: string, run: EventHost["run"]): EventSender {
  return {
    async send({ topic, namespace, event }) {
      const argv = [binary, "--address", address, "publish", "--topic", topic, "--namespace", namespace];
      const status = await exitStatus(() => run(argv, Any.encode(event), SEND_MS), binary);
      // Why, it tells its standard error alone: most likely containerd is not there.
      if (status !== 0) throw new KataError("Unavailable", `${binary} publish: exit status ${status}`);
    },
    close() {},
  };
}

async function exitStatus(run: () => Promise<number>, binary: string): Promise<number> {
  try {
    return await run();
  } catch (error) {
    throw unavailable(error, `cannot run ${binary}`);
  }
}

function unavailable(cause: unknown, doing: string): KataError {
  return new KataError("Unavailable", KataError.from(cause, doing).message, { cause });
}
