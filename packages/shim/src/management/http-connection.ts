import { deadline, ops } from "@kata-containers/sys";
import { type HttpRequest, parseHead } from "./http-request.ts";

/** A connection's bytes. What is pending when it is closed is rejected. */
export interface HttpStream {
  /** At most so many bytes; none at the end. */
  read(max: number): Promise<Uint8Array>;
  write(bytes: Uint8Array): Promise<void>;
  /** What was written has an end for the client; it can still be read from. */
  endWriting(): void;
  close(): void;
}

export interface HttpAnswer {
  readonly status: keyof typeof REASONS;
  /** text/plain when it is absent. */
  readonly type?: string;
  readonly body: string | Uint8Array;
}

/** RFC 9110, 15. */
const REASONS = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
} as const;

/** Characters of a request's head. */
const MAX_HEAD = 8192;
/** For one whole head, from the connection's beginning or the last answer on; and for a client to take an answer. */
export const CLIENT_MS = 10_000;
/** For a client to stop sending after its last answer, and the bytes that are taken from it meanwhile. */
export const LINGER_MS = 1000;
const MAX_LINGER_BYTES = 1 << 20;
const END_OF_HEAD = "\r\n\r\n";

/** Answers the requests of one connection, one after the other, until either side has had enough; then closes it. Never throws. */
export async function serveHttp(
  stream: HttpStream,
  answer: (request: HttpRequest) => Promise<HttpAnswer>,
): Promise<void> {
  try {
    const heads = new HeadReader(stream);
    while (await serveOne(stream, heads, answer));
    await linger(stream);
  } catch {
    // The client is gone, or does not take what it has asked for.
  } finally {
    stream.close();
  }
}

/** Refuses a connection for which there is no room, not even to linger. */
export async function refuseHttp(stream: HttpStream): Promise<void> {
  try {
    await send(stream, { status: 503, body: "too many connections\n" }, { method: "GET", keepAlive: false });
  } catch {
    // It is gone already.
  } finally {
    stream.close();
  }
}

/**
 * Takes what a client still sends: a socket that is closed over unread bytes is reset, and the answer may be lost with it
 * (RFC 9112, 9.6).
 */
async function linger(stream: HttpStream): Promise<void> {
  stream.endWriting();
  const drain = async () => {
    for (let taken = 0; taken < MAX_LINGER_BYTES; ) {
      const bytes = await stream.read(MAX_HEAD);
      if (bytes.length === 0) return;
      taken += bytes.length;
    }
  };
  await deadline(drain(), LINGER_MS, () => new Error("late"));
}

/** @returns whether another request may follow */
async function serveOne(
  stream: HttpStream,
  heads: HeadReader,
  answer: (request: HttpRequest) => Promise<HttpAnswer>,
): Promise<boolean> {
  const head = await heads.next();
  if (head === "end") return false;
  const request = typeof head === "number" ? head : parseHead(head.text);
  if (typeof request === "number") {
    const body = `${REASONS[request]}\n`;
    await send(stream, { status: request, body }, { method: "GET", keepAlive: false });
    return false;
  }
  await send(stream, await answer(request), request);
  return request.keepAlive;
}

/** A request's head, why there is none, or the end of a connection between two requests. */
type Head = { readonly text: string } | 408 | 431 | "end";

/** Cuts a connection's bytes into heads; what is behind one waits for the next call. */
class HeadReader {
  readonly #stream: HttpStream;
  #text = "";

  constructor(stream: HttpStream) {
    this.#stream = stream;
  }

  async next(): Promise<Head> {
    return await deadline(this.#read(), CLIENT_MS, () => new Error("late")).catch((error) => {
      if (this.#text === "") throw error;
      return 408;
    });
  }

  async #read(): Promise<Head> {
    for (let searched = 0; ; ) {
      const end = this.#text.indexOf(END_OF_HEAD, Math.max(0, searched - END_OF_HEAD.length));
      if (end > MAX_HEAD || (end < 0 && this.#text.length > MAX_HEAD)) return 431;
      if (end >= 0) {
        // An empty line before a request is no part of it (RFC 9112, 2.2).
        const text = this.#text.slice(0, end).replace(/^\r\n/, "");
        this.#text = this.#text.slice(end + END_OF_HEAD.length);
        return { text };
      }
      searched = this.#text.length;
      const bytes = await this.#stream.read(MAX_HEAD);
      if (bytes.length === 0) return "end";
      this.#text += ops.utf8Decode(bytes);
    }
  }
}

async function send(
  stream: HttpStream,
  { status, type = "text/plain; charset=utf-8", body }: HttpAnswer,
  { method, keepAlive }: Pick<HttpRequest, "method" | "keepAlive">,
): Promise<void> {
  const bytes = typeof body === "string" ? ops.utf8Encode(body) : body;
  const fields = [
    `HTTP/1.1 ${status} ${REASONS[status]}`,
    `Date: ${new Date(ops.realtimeMs()).toUTCString()}`,
    `Content-Type: ${type}`,
    `Content-Length: ${bytes.length}`,
    ...(status === 405 ? ["Allow: GET"] : []),
    ...(keepAlive ? [] : ["Connection: close"]),
  ];
  const head = ops.utf8Encode(`${fields.join("\r\n")}${END_OF_HEAD}`);
  await deadline(
    write(stream, head, method === "HEAD" ? undefined : bytes),
    CLIENT_MS,
    () => new Error("late"),
  );
}

async function write(stream: HttpStream, head: Uint8Array, body: Uint8Array | undefined): Promise<void> {
  await stream.write(head);
  if (body !== undefined && body.length > 0) await stream.write(body);
}
