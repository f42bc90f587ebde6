import { type Init, type Method, type Status, TtrpcResponse, Writer } from "@kata-containers/protocols";
import { type AbortSignalLike, KataError } from "@kata-containers/sys";
import { type Bulk, BulkData, type BulkPlace, locateBulk, splitField } from "./bulk.ts";
import { putBulkPayload } from "./bulk-payload.ts";
import { type BulkFrame, Connection } from "./connection.ts";
import type { Expiring } from "./deadlines.ts";
import { FRAME, HEADER_BYTES, malformed, putHeader } from "./frame.ts";
import { errorOf } from "./status.ts";
import type { FrameTransport } from "./transport.ts";

/** The message of DeadlineExceeded when it is the client that gave up: the server may say the same code in words of its own. */
export const NO_ANSWER = "no answer within the time-out";

const MAX_STREAM = 0xffff_ffff;
/** Calls given up whose answers are still to come. */
const MAX_ABANDONED = 65_536;
/** 2^53 ns: the longest time-out that is sent, 104 days. */
const MAX_TIMEOUT_MS = Number.MAX_SAFE_INTEGER / 1_000_000;

// Fields of ttrpc.Request and ttrpc.Response.
const SERVICE_TAG = 10;
const METHOD_TAG = 18;
const REQUEST_PAYLOAD_TAG = 26;
const TIMEOUT_TAG = 32;
const RESPONSE_PAYLOAD = 2;

export interface CallOptions {
  /** Milliseconds; the server is told too. Absent or 0: none. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignalLike | undefined;
  /** Descriptors to pass; they stay the caller's. */
  readonly fds?: readonly number[] | undefined;
}

/** A reply of which one field never entered JavaScript. */
export interface BulkReply<Res> {
  /** The reply; the bulk field in it is empty. */
  readonly message: Res;
  readonly data: BulkData;
}

/**
 * Calls to one server. Every call throws KataError: what the server answered, DeadlineExceeded, Canceled, or Unavailable
 * when the connection ended before the answer came.
 */
export interface Client {
  unary<Req extends object, Res extends object>(
    method: Method<Req, Res>,
    request: NoInfer<Init<Req>>,
    options?: CallOptions,
  ): Promise<Res>;
  /** A call whose messages the caller encodes and decodes. */
  call(service: string, method: string, payload: Uint8Array, options?: CallOptions): Promise<Uint8Array>;
  /** A call whose request ends in a field that is in a block. The block is freed whatever the outcome. */
  send<Req extends object, Res extends object>(
    method: Method<Req, Res>,
    request: NoInfer<Init<Req>>,
    data: Bulk,
    options?: CallOptions,
  ): Promise<Res>;
  /**
   * A call whose reply has a bytes field (by its number) that goes to a block. It is drained from the connection before
   * this resolves, so a slow sink holds up nobody: write it with `data.writeTo(fd)`, and have at most two such calls a
   * stream under way.
   */
  receive<Req extends object, Res extends object>(
    method: Method<Req, Res>,
    request: NoInfer<Init<Req>>,
    field: number,
    options?: CallOptions,
  ): Promise<BulkReply<Res>>;
  /** Resolves when the connection has ended: with the reason, or with undefined after an orderly end. */
  readonly closed: Promise<KataError | undefined>;
  close(): void;
}

interface Reply {
  readonly payload: Uint8Array;
  readonly data: BulkData | undefined;
}

class Call implements Expiring {
  deadline = 0;
  readonly stream: number;
  /** Number of the reply's field that goes to a block. */
  readonly bulkField: number | undefined;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: KataError) => void;
  private readonly owner: TtrpcClient;

  constructor(
    owner: TtrpcClient,
    stream: number,
    bulkField: number | undefined,
    resolve: (reply: Reply) => void,
    reject: (error: KataError) => void,
  ) {
    this.owner = owner;
    this.stream = stream;
    this.bulkField = bulkField;
    this.resolve = resolve;
    this.reject = reject;
  }

  expire(): void {
    this.owner.abandon(this, new KataError("DeadlineExceeded", NO_ANSWER));
  }
}

const writer = new Writer();
/** A method's names, encoded. */
const nameFields = new WeakMap<object, Uint8Array>();

function startRequest(method: { service: string; method: string }, timeoutMs = 0): void {
  let names = nameFields.get(method);
  if (!names) {
    writer.start("ttrpc.Request");
    writer.string(SERVICE_TAG, method.service);
    writer.string(METHOD_TAG, method.method);
    names = writer.finish();
    nameFields.set(method, names);
  }
  writer.start("ttrpc.Request", HEADER_BYTES);
  writer.raw(names);
  if (timeoutMs > 0) {
    writer.int64(TIMEOUT_TAG, Math.ceil(Math.min(timeoutMs, MAX_TIMEOUT_MS) * 1_000_000));
  }
}

class TtrpcClient extends Connection implements Client {
  private lastStream = -1;
  private readonly calls = new Map<number, Call>();
  private readonly abandoned = new Set<number>();
  private reason: KataError | undefined;

  async unary<Req extends object, Res extends object>(
    method: Method<Req, Res>,
    request: NoInfer<Init<Req>>,
    options: CallOptions = {},
  ): Promise<Res> {
    startRequest(method, options.timeoutMs);
    writer.message(REQUEST_PAYLOAD_TAG, method.request, request);
    const { payload } = await this.exchange(writer.finish(), options);
    return method.response.decode(payload);
  }

  async call(
    service: string,
    method: string,
    payload: Uint8Array,
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    startRequest({ service, method }, options.timeoutMs);
    writer.bytes(REQUEST_PAYLOAD_TAG, payload);
    return (await this.exchange(writer.finish(), options)).payload;
  }

  async send<Req extends object, Res extends object>(
    method: Method<Req, Res>,
    request: NoInfer<Init<Req>>,
    data: Bulk,
    options: CallOptions = {},
  ): Promise<Res> {
    let head: Uint8Array;
    try {
      const rest = method.request.encode(request);
      startRequest(method, options.timeoutMs);
      putBulkPayload(writer, REQUEST_PAYLOAD_TAG, rest, data);
      head = writer.finish();
    } catch (caught) {
      this.transport.blocks.free(data.block);
      throw caught;
    }
    const { payload } = await this.exchange(head, options, undefined, data);
    return method.response.decode(payload);
  }

  async receive<Req extends object, Res extends object>(
    method: Method<Req, Res>,
    request: NoInfer<Init<Req>>,
    field: number,
    options: CallOptions = {},
  ): Promise<BulkReply<Res>> {
    startRequest(method, options.timeoutMs);
    writer.message(REQUEST_PAYLOAD_TAG, method.request, request);
    const { payload, data } = await this.exchange(writer.finish(), options, field);
    if (data) {
      try {
        return { message: method.response.decode(payload), data };
      } catch (caught) {
        data.free();
        throw caught;
      }
    }
    const { rest, value } = splitField(payload, field);
    return { message: method.response.decode(rest), data: new BulkData(value, this.transport.blocks) };
  }

  /** Gives a call up: its answer will be dropped. */
  abandon(call: Call, error: KataError): void {
    if (this.calls.get(call.stream) === call) {
      this.calls.delete(call.stream);
      this.abandoned.add(call.stream);
      this.deadlines.delete(call);
      call.reject(error);
      if (this.abandoned.size > MAX_ABANDONED) {
        this.close();
      }
    }
  }

  /** Throws what can be told at once; not async, since every layer of promises costs on QuickJS. */
  private exchange(frame: Uint8Array, options: CallOptions, bulkField?: number, bulk?: Bulk): Promise<Reply> {
    let stream: number;
    try {
      this.checkUsable(options.signal);
      stream = this.nextStream();
      putHeader(frame, stream, FRAME.REQUEST, bulk?.length ?? 0);
    } catch (caught) {
      if (bulk) {
        this.transport.blocks.free(bulk.block);
      }
      throw caught;
    }
    const { signal, timeoutMs = 0 } = options;
    return new Promise<Reply>((resolve, reject) => {
      if (!signal) {
        this.start(new Call(this, stream, bulkField, resolve, reject), timeoutMs, frame, options.fds, bulk);
        return;
      }
      const onAbort = () => this.abandon(call, canceled(signal));
      const call = new Call(
        this,
        stream,
        bulkField,
        (reply) => {
          signal.removeEventListener("abort", onAbort);
          resolve(reply);
        },
        (error) => {
          signal.removeEventListener("abort", onAbort);
          reject(error);
        },
      );
      signal.addEventListener("abort", onAbort);
      this.start(call, timeoutMs, frame, options.fds, bulk);
    });
  }

  private start(
    call: Call,
    timeoutMs: number,
    frame: Uint8Array,
    fds: readonly number[] | undefined,
    bulk: Bulk | undefined,
  ): void {
    this.calls.set(call.stream, call);
    if (timeoutMs > 0) {
      this.deadlines.add(call, timeoutMs);
    }
    this.writer.send(frame, fds, bulk?.block).catch((caught: unknown) => {
      // Half a frame may be out: nobody can write after it.
      this.end(KataError.from(caught, "cannot send"), false);
    });
  }

  private checkUsable(signal: AbortSignalLike | undefined): void {
    if (signal?.aborted) {
      throw canceled(signal);
    }
    if (this.reason) {
      throw this.reason;
    }
  }

  /** The next odd number; after 2^32 from the start again, past those in use. */
  private nextStream(): number {
    do {
      this.lastStream = this.lastStream + 2 > MAX_STREAM ? 1 : this.lastStream + 2;
    } while (this.calls.has(this.lastStream) || this.abandoned.has(this.lastStream));
    return this.lastStream;
  }

  protected override checkHeader(): void {
    const { type, stream } = this.reader;
    if (type !== FRAME.RESPONSE || !(this.calls.has(stream) || this.abandoned.has(stream))) {
      this.reader.unreadHeader();
      throw malformed(
        type === FRAME.RESPONSE
          ? `answer to stream ${stream}, which has no call`
          : `type ${type} where a response belongs (streaming is not offered)`,
      );
    }
  }

  protected override onFrame(stream: number, data: Uint8Array, fds: readonly number[]): void {
    for (const fd of fds) {
      this.transport.closeFd(fd);
    }
    const call = this.answered(stream);
    if (call) {
      const { status, payload } = decodeResponse(call, data);
      this.settle(call, status, { payload, data: undefined });
    }
  }

  protected override findBulk(stream: number, prefix: Uint8Array, length: number): BulkPlace | undefined {
    const field = this.calls.get(stream)?.bulkField;
    return field === undefined ? undefined : locateBulk(prefix, length, RESPONSE_PAYLOAD, field);
  }

  protected override onBulk(stream: number, frame: BulkFrame, fds: readonly number[]): void {
    for (const fd of fds) {
      this.transport.closeFd(fd);
    }
    const call = this.answered(stream);
    if (!call) {
      frame.data.free();
      return;
    }
    const { status } = decodeResponse(call, frame.outer);
    if (status && status.code !== 0) {
      frame.data.free();
    }
    this.settle(call, status, { payload: frame.inner, data: frame.data });
  }

  protected override room(): undefined {
    return undefined;
  }

  protected override onEnd(reason: KataError): void {
    this.reason = reason;
    const calls = [...this.calls.values()];
    this.calls.clear();
    for (const call of calls) {
      call.reject(reason);
    }
  }

  private answered(stream: number): Call | undefined {
    const call = this.calls.get(stream);
    if (call) {
      this.calls.delete(stream);
      this.deadlines.delete(call);
    } else {
      this.abandoned.delete(stream);
    }
    return call;
  }

  private settle(call: Call, status: Status | undefined, reply: Reply): void {
    if (status && status.code !== 0) {
      call.reject(errorOf(status));
    } else {
      call.resolve(reply);
    }
  }
}

function decodeResponse(call: Call, data: Uint8Array): TtrpcResponse {
  try {
    return TtrpcResponse.decode(data);
  } catch (caught) {
    const error = KataError.from(caught, "malformed response");
    call.reject(error);
    throw error;
  }
}

function canceled(signal: AbortSignalLike): KataError {
  return new KataError("Canceled", "call cancelled", { cause: signal.reason });
}

/** Calls the server at the other end of a transport, which it owns. */
export function createClient(transport: FrameTransport): Client {
  return new TtrpcClient(transport);
}
