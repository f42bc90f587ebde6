import { TtrpcRequest, Writer } from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import { Bulk, BulkData, type BulkPlace, findField, locateBulk, splitField } from "./bulk.ts";
import { putBulkPayload } from "./bulk-payload.ts";
import { type BulkFrame, Connection } from "./connection.ts";
import { ServerCall } from "./context.ts";
import { FLAG_REMOTE_OPEN, FRAME, HEADER_BYTES, malformed, putHeader } from "./frame.ts";
import type { Answer, Handler, Handlers } from "./handlers.ts";
import { statusOf } from "./status.ts";
import type { FrameTransport } from "./transport.ts";

const REQUEST_PAYLOAD = 3;
const STATUS_TAG = 10;
const RESPONSE_PAYLOAD_TAG = 18;

export interface ServerOptions {
  /** Requests of one connection that may be under way; the others are answered with ResourceExhausted. Default 4096. */
  readonly maxInFlight?: number;
  /** Bytes of requests and answers of one connection that may be in memory, likewise. Default 32 MiB. */
  readonly maxInFlightBytes?: number;
  /** Hears why a connection ended, when that was not orderly. */
  readonly onConnectionError?: (error: KataError) => void;
}

/** Refusals that the peer has not taken; then it is read no further until it does. */
const MAX_REFUSALS = 64;

/** A blocked call costs a kilobyte or so; a pod of a thousand processes waits with some thousand calls. */
export const DEFAULT_MAX_IN_FLIGHT = 4096;
export const DEFAULT_MAX_IN_FLIGHT_BYTES = 32 * 1024 * 1024;

const writer = new Writer();

/** The server's end of one connection. */
export class ServerConnection extends Connection {
  private readonly handlers: Handlers;
  private readonly maxInFlight: number;
  private readonly maxInFlightBytes: number;
  private readonly calls = new Map<number, ServerCall>();
  private running = 0;
  private runningBytes = 0;
  private refusals = 0;
  private roomWaiter: (() => void) | undefined;

  constructor(transport: FrameTransport, handlers: Handlers, options: ServerOptions = {}) {
    super(transport);
    this.handlers = handlers;
    this.maxInFlight = options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT;
    this.maxInFlightBytes = options.maxInFlightBytes ?? DEFAULT_MAX_IN_FLIGHT_BYTES;
  }

  protected override checkHeader(): void {
    const { type, stream } = this.reader;
    if (stream % 2 === 1) {
      if (type === FRAME.REQUEST && !this.calls.has(stream)) {
        return;
      }
      if (type === FRAME.DATA) {
        return; // of a stream that was refused
      }
    }
    this.reader.unreadHeader();
    throw malformed(`type ${type} on stream ${stream}`);
  }

  protected override onFrame(stream: number, data: Uint8Array, fds: readonly number[]): void {
    if (this.reader.type === FRAME.DATA) {
      this.closeFds(fds);
      return;
    }
    try {
      const request = TtrpcRequest.decode(data);
      const handler = this.handlerOf(request);
      if (handler.bulkField === undefined) {
        this.start(handler, request, request.payload, undefined, stream, data.length, fds);
      } else {
        const { rest, value } = splitField(request.payload, handler.bulkField);
        const bulkData = new BulkData(value, this.transport.blocks);
        this.start(handler, request, rest, bulkData, stream, data.length, fds);
      }
    } catch (caught) {
      this.closeFds(fds);
      this.refuse(stream, caught);
    }
  }

  protected override findBulk(_stream: number, prefix: Uint8Array, length: number): BulkPlace | undefined {
    const payload = findField(prefix, 0, length, REQUEST_PAYLOAD);
    if (!payload || this.reader.type !== FRAME.REQUEST) {
      return undefined;
    }
    try {
      const { service, method } = TtrpcRequest.decode(prefix.subarray(0, payload.tagAt));
      const field = this.handlers.get(service, method)?.bulkField;
      return field === undefined ? undefined : locateBulk(prefix, length, REQUEST_PAYLOAD, field);
    } catch {
      return undefined; // onFrame answers it
    }
  }

  protected override onBulk(stream: number, frame: BulkFrame, fds: readonly number[]): void {
    try {
      const request = TtrpcRequest.decode(frame.outer);
      const handler = this.handlerOf(request);
      // What comes behind the payload may name another method, which takes no such data.
      if (handler.bulkField !== frame.field) {
        throw new KataError("InvalidArgument", "the request names two methods");
      }
      const bytes = frame.outer.length + frame.inner.length + frame.data.length;
      this.start(handler, request, frame.inner, frame.data, stream, bytes, fds);
    } catch (caught) {
      frame.data.free();
      this.closeFds(fds);
      this.refuse(stream, caught);
    }
  }

  protected override room(): Promise<void> | undefined {
    // Never because of calls under way: they may last, and who does not read sees no end and no next session.
    if (this.refusals < MAX_REFUSALS) {
      return undefined;
    }
    return new Promise((resolve) => {
      this.roomWaiter = resolve;
    });
  }

  protected override onEnd(reason: KataError): void {
    for (const call of this.calls.values()) {
      call.answered = true;
      call.abort(reason);
    }
    this.calls.clear();
    this.wakeReader();
  }

  private handlerOf(request: TtrpcRequest): Handler {
    if (this.reader.flags & FLAG_REMOTE_OPEN) {
      throw new KataError("Unimplemented", `${request.service}/${request.method}: streaming is not offered`);
    }
    const handler = this.handlers.get(request.service, request.method);
    if (!handler) {
      throw new KataError("Unimplemented", `${request.service}/${request.method}: no such method`);
    }
    if (this.running >= this.maxInFlight || this.runningBytes >= this.maxInFlightBytes) {
      throw new KataError(
        "ResourceExhausted",
        `${request.service}/${request.method}: ${this.running} calls of ${this.runningBytes} bytes are under way`,
      );
    }
    return handler;
  }

  private start(
    handler: Handler,
    request: TtrpcRequest,
    payload: Uint8Array,
    data: BulkData | undefined,
    stream: number,
    bytes: number,
    fds: readonly number[],
  ): void {
    const timeoutMs = request.timeoutNano > 0 ? request.timeoutNano / 1_000_000 : 0;
    const call = new ServerCall(this.transport.peer, stream, bytes, timeoutMs, fds, this.onExpire);
    this.calls.set(stream, call);
    if (timeoutMs > 0) {
      this.deadlines.add(call, timeoutMs);
    }
    void this.invoke(handler, payload, data, call);
  }

  /** Runs the handler and answers. Never throws: whatever a handler does, its caller gets a status. */
  private async invoke(
    handler: Handler,
    payload: Uint8Array,
    data: BulkData | undefined,
    call: ServerCall,
  ): Promise<void> {
    this.running += 1;
    this.runningBytes += call.bytes;
    let answerBytes = 0;
    try {
      const answer = await handler.run(payload, data, call);
      answerBytes = answer.length;
      this.runningBytes += answerBytes;
      await this.answer(call, answer);
    } catch (caught) {
      await this.answerStatus(call, caught);
    } finally {
      this.closeFds(call.fds);
      this.running -= 1;
      this.runningBytes -= call.bytes + answerBytes;
    }
  }

  private answer(call: ServerCall, answer: Answer): Promise<void> | undefined {
    const block = answer instanceof Bulk ? answer.block : undefined;
    let frame: Uint8Array;
    try {
      frame = answer instanceof Bulk ? bulkFrame(call.stream, answer) : payloadFrame(call.stream, answer);
    } catch (caught) {
      this.freeBlock(block);
      throw caught;
    }
    if (this.settle(call)) {
      return this.send(frame, block);
    }
    this.freeBlock(block);
    return undefined;
  }

  private answerStatus(call: ServerCall, caught: unknown): Promise<void> | undefined {
    return this.settle(call) ? this.send(statusFrame(call.stream, caught)) : undefined;
  }

  /** Claims the right to answer: false when it was answered already, or the connection has ended. */
  private settle(call: ServerCall): boolean {
    if (call.answered) {
      return false;
    }
    call.answered = true;
    this.calls.delete(call.stream);
    this.deadlines.delete(call);
    return true;
  }

  /** Answers a request that reached no handler. */
  private refuse(stream: number, caught: unknown): void {
    this.refusals += 1;
    void this.send(statusFrame(stream, caught)).finally(() => {
      this.refusals -= 1;
      this.wakeReader();
    });
  }

  private readonly onExpire = (call: ServerCall): void => {
    const error = new KataError(
      "DeadlineExceeded",
      "not done within the time-out, by the clock of who was asked",
    );
    void this.answerStatus(call, error);
    call.abort(error);
  };

  private async send(frame: Uint8Array, block?: number): Promise<void> {
    try {
      await this.writer.send(frame, undefined, block);
    } catch (caught) {
      // Half a frame may be out: nobody can write after it.
      this.end(KataError.from(caught, "cannot answer"), false);
    }
  }

  private wakeReader(): void {
    const wake = this.roomWaiter;
    this.roomWaiter = undefined;
    wake?.();
  }

  private freeBlock(block: number | undefined): void {
    if (block !== undefined) {
      this.transport.blocks.free(block);
    }
  }

  private closeFds(fds: readonly number[]): void {
    for (const fd of fds) {
      this.transport.closeFd(fd);
    }
  }
}

function payloadFrame(stream: number, payload: Uint8Array): Uint8Array {
  writer.start("ttrpc.Response", HEADER_BYTES);
  writer.bytes(RESPONSE_PAYLOAD_TAG, payload);
  return putHeader(writer.finish(), stream, FRAME.RESPONSE);
}

function bulkFrame(stream: number, answer: Bulk): Uint8Array {
  writer.start("ttrpc.Response", HEADER_BYTES);
  putBulkPayload(writer, RESPONSE_PAYLOAD_TAG, new Uint8Array(0), answer);
  return putHeader(writer.finish(), stream, FRAME.RESPONSE, answer.length);
}

function statusFrame(stream: number, caught: unknown): Uint8Array {
  writer.start("ttrpc.Response", HEADER_BYTES);
  const start = writer.open(STATUS_TAG);
  const { code = 0, message = "" } = statusOf(caught);
  writer.int32(8, code);
  writer.string(18, message);
  writer.close(start);
  return putHeader(writer.finish(), stream, FRAME.RESPONSE);
}
