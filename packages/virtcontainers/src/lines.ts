import { KataError } from "@kata-containers/sys";

export interface LineSource {
  /** Some bytes; empty at the end of the stream. */
  read(): Promise<Uint8Array>;
}

/**
 * Hands every line of a stream to `onLine`, without its end; resolves at the end of the stream.
 * @throws KataError ResourceExhausted at a line longer than `maxBytes`.
 */
export async function readLines(
  source: LineSource,
  maxBytes: number,
  onLine: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let parts: Uint8Array[] = [];
  let held = 0;
  for (;;) {
    let bytes = await source.read();
    if (bytes.length === 0) return;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED)) {
      const line = decoder.decode(concat([...parts, bytes.subarray(0, end)])).trim();
      parts = [];
      held = 0;
      bytes = bytes.subarray(end + 1);
      if (line !== "") onLine(line);
    }
    held += bytes.length;
    if (held > maxBytes) throw new KataError("ResourceExhausted", `a line longer than ${maxBytes} bytes`);
    if (bytes.length > 0) parts.push(bytes.slice());
  }
}

const LINE_FEED = 10;

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
