import { deadline, KataError } from "@kata-containers/sys";
import { type LineSource, readLines } from "../../lines.ts";

/** The stream that QMP speaks on. */
export interface QmpTransport extends LineSource {
  /** @param fds sent along with the first byte */
  write(bytes: Uint8Array, fds: readonly number[]): Promise<void>;
  close(): void;
}

export type QmpEvent = { readonly name: string; readonly details: unknown };

/** A QMP client (qemu docs/interop/qmp-spec.rst). */
export interface Qmp {
  /**
   * Runs a command and returns its `return` member.
   * @param fds descriptors that QEMU gets duplicates of, for getfd
   * @throws KataError Internal with QEMU's error class and text; DeadlineExceeded; Unavailable when QEMU is gone.
   */
  execute(
    command: string,
    args: Readonly<Record<string, unknown>> | undefined,
    timeoutMs: number,
    fds?: readonly number[],
  ): Promise<unknown>;
  close(): void;
}

/** Bytes of one QMP message; QEMU's largest answers (query-qmp-schema) are below it. */
const MAX_MESSAGE = 1 << 20;

type Pending = { readonly resolve: (value: unknown) => void; readonly reject: (error: KataError) => void };

/**
 * Waits for QEMU's greeting and leaves negotiation mode.
 * @param onEvent hears every event from the start.
 */
export async function connectQmp(
  transport: QmpTransport,
  onEvent: (event: QmpEvent) => void,
  timeoutMs: number,
): Promise<Qmp> {
  const pending = new Map<number, Pending>();
  let nextId = 1;
  let gone: KataError | undefined;
  let greeted: () => void = () => {};
  const greeting = new Promise<void>((resolve) => {
    greeted = resolve;
  });

  const fail = (error: KataError): void => {
    gone ??= error;
    for (const each of pending.values()) each.reject(gone);
    pending.clear();
    greeted();
  };
  const settle = (id: number, message: Message): void => {
    const waiter = pending.get(id);
    pending.delete(id);
    if ("return" in message) waiter?.resolve(message.return);
    else waiter?.reject(new KataError("Internal", `QMP: ${errorText(message.error)}`));
  };
  const receive = (line: string): void => {
    const message = parseMessage(line);
    if ("QMP" in message) greeted();
    else if (typeof message.event === "string") onEvent({ name: message.event, details: message.data });
    else if (typeof message.id === "number") settle(message.id, message);
  };

  readLines(transport, MAX_MESSAGE, receive).then(
    () => fail(new KataError("Unavailable", "QMP: QEMU closed the connection")),
    (cause: unknown) => {
      fail(new KataError("Unavailable", `QMP: ${KataError.from(cause).message}`, { cause }));
      transport.close();
    },
  );

  const execute: Qmp["execute"] = async (command, args, limit, fds = []) => {
    if (gone !== undefined) throw gone;
    const id = nextId++;
    const answer = new Promise<unknown>((resolve, reject) => pending.set(id, { resolve, reject }));
    // It may be refused before anybody awaits it: while the request is written.
    answer.catch(() => {});
    const request = args === undefined ? { execute: command, id } : { execute: command, arguments: args, id };
    try {
      await transport.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`), fds);
    } catch (cause) {
      fail(new KataError("Unavailable", `QMP: ${KataError.from(cause).message}`, { cause }));
    }
    return deadline(answer, limit, () => {
      pending.delete(id);
      return new KataError("DeadlineExceeded", `QMP ${command}: no answer within ${limit} ms`);
    });
  };

  await deadline(
    greeting,
    timeoutMs,
    () => new KataError("DeadlineExceeded", `QMP: no greeting within ${timeoutMs} ms`),
  );
  await execute("qmp_capabilities", undefined, timeoutMs);
  return { execute, close: () => transport.close() };
}

type Message = {
  readonly QMP?: unknown;
  readonly event?: unknown;
  readonly data?: unknown;
  readonly id?: unknown;
  readonly return?: unknown;
  readonly error?: unknown;
};

function parseMessage(line: string): Message {
  const value: unknown = JSON.parse(line);
  if (typeof value !== "object" || value === null)
    throw new KataError("Internal", "a message that is no object");
  return value;
}

function errorText(error: unknown): string {
  if (typeof error !== "object" || error === null) return "an error without a reason";
  const kind = "class" in error && typeof error.class === "string" ? error.class : "error";
  const reason = "desc" in error && typeof error.desc === "string" ? error.desc : "no reason given";
  return `${kind}: ${reason}`;
}
