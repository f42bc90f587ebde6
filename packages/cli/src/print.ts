import { isSysError, ops } from "@kata-containers/sys";

/** Writes to standard output. A reader that has left (`| head`) is no error. */
export function printText(text: string): void {
  try {
    ops.writeSync(1, ops.utf8Encode(text));
  } catch (error) {
    if (!isSysError(error, "EPIPE")) throw error;
  }
}
