import type { Writer } from "@kata-containers/protocols";
import type { Bulk } from "./bulk.ts";

/** Writes a payload field up to where its block's bytes go: the message's other fields first, the bulk field last. */
export function putBulkPayload(to: Writer, payloadTag: number, rest: Uint8Array, data: Bulk): void {
  const fieldTag = data.field * 8 + 2;
  const length = rest.length + varintLength(fieldTag) + varintLength(data.length) + data.length;
  to.lengthOf(payloadTag, length);
  to.raw(rest);
  to.lengthOf(fieldTag, data.length);
}

function varintLength(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}
