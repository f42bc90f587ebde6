import { isSysError, ops } from "@kata-containers/sys";
import { type JsonValue, jsonText } from "../json-text.ts";

/** Prints an event as a line of JSON. @returns false when nobody reads it */
export function printEvent(event: JsonValue): boolean {
  try {
    ops.writeSync(1, ops.utf8Encode(`${jsonText(event)}\n`));
    return true;
  } catch (error) {
    if (isSysError(error, "EPIPE")) return false;
    throw error;
  }
}
