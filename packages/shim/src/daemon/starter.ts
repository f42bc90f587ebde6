import { type Fd, KataError, ops } from "@kata-containers/sys";

/** What is handed over is a few kilobytes. */
const MAX_BYTES = 1 << 22;

/**
 * What the program that started this one says first, before anything else runs here.
 * @param socket its other end is that program's alone
 * @param what the lines are, for an error
 * @throws KataError InvalidArgument when it says less, or too much
 */
export function readLines(socket: Fd, count: number, what: string): string[] {
  let text = "";
  while (text.split("\n").length <= count) {
    const bytes = ops.readSync(socket.number, 1 << 16);
    if (bytes.length === 0 || text.length > MAX_BYTES)
      throw new KataError("InvalidArgument", `${what}: incomplete`);
    text += ops.utf8Decode(bytes);
  }
  return text.split("\n");
}

/** Resolves when it has closed its end, or died: nothing more is said. The socket is closed then. */
export async function endOf(socket: Fd): Promise<void> {
  using _ = socket;
  try {
    while ((await ops.read(socket.number, 1)).length > 0);
  } catch {
    // ECONNRESET is an end, too.
  }
}
