import type { Fd } from "./fd.ts";
import { KataError } from "./kata-error.ts";
import { ops } from "./ops.ts";

/** Of the domain name system, RFC 1035, 4. */
export const DNS = {
  PORT: 53,
  /** A message that is a header alone. */
  MIN_BYTES: 12,
  MAX_BYTES: 65535,
} as const;

/** The next message of a TCP connection (RFC 1035, 4.2.2: two bytes of length before each). @throws KataError Unavailable at its end */
export async function readDnsMessage(connection: Fd): Promise<Uint8Array> {
  const [high = 0, low = 0] = await readExactly(connection, 2);
  return readExactly(connection, high * 256 + low);
}

/** @param message of at most DNS.MAX_BYTES */
export async function writeDnsMessage(connection: Fd, message: Uint8Array): Promise<void> {
  const framed = new Uint8Array(2 + message.length);
  framed.set([message.length >> 8, message.length & 0xff]);
  framed.set(message, 2);
  await ops.write(connection.number, framed);
}

async function readExactly(connection: Fd, length: number): Promise<Uint8Array> {
  const whole = new Uint8Array(length);
  for (let have = 0; have < length; ) {
    const part = await ops.read(connection.number, length - have);
    if (part.length === 0) throw new KataError("Unavailable", "the connection has ended");
    whole.set(part, have);
    have += part.length;
  }
  return whole;
}
