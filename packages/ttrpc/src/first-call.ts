import { TtrpcRequest } from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import { FRAME, getUint32, HEADER_BYTES, malformed, putHeader } from "./frame.ts";
import type { FrameTransport } from "./transport.ts";

const FIRST_STREAM = 1;
/** Of the answer to a call that says nothing. */
const MAX_ANSWER_BYTES = 4096;

/**
 * Makes an empty call on a connection that has no client yet, and waits for its answer, whatever that says: somebody is there. A client made
 * afterwards finds the connection as if nothing had been said.
 * @throws KataError InvalidArgument for what is no answer; Unavailable when the connection ends; SysError of read(2), write(2)
 */
export async function firstCall(
  transport: FrameTransport,
  { service, method }: { readonly service: string; readonly method: string },
): Promise<void> {
  const request = TtrpcRequest.encode({ service, method });
  const frame = new Uint8Array(HEADER_BYTES + request.length);
  frame.set(request, HEADER_BYTES);
  await transport.write(putHeader(frame, FIRST_STREAM, FRAME.REQUEST), []);
  const header = await readExactly(transport, HEADER_BYTES);
  const length = getUint32(header, 0);
  if (getUint32(header, 4) !== FIRST_STREAM || header[8] !== FRAME.RESPONSE || length > MAX_ANSWER_BYTES)
    throw malformed("no answer to a first call");
  await readExactly(transport, length);
}

async function readExactly(transport: FrameTransport, length: number): Promise<Uint8Array> {
  const whole = new Uint8Array(length);
  for (let have = 0; have < length; ) {
    const fds: number[] = [];
    const part = await transport.read(length - have, fds);
    for (const fd of fds) transport.closeFd(fd);
    if (part.length === 0) throw new KataError("Unavailable", "the connection has ended");
    whole.set(part, have);
    have += part.length;
  }
  return whole;
}
