import { KataError } from "@kata-containers/sys";

/** "02:42:ac:11:00:02"; "" for a device without one. */
export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** An Ethernet address. @throws KataError InvalidArgument */
export function parseMac(text: string): Uint8Array {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text))
    throw new KataError("InvalidArgument", `${JSON.stringify(text)} is no Ethernet address`);
  return Uint8Array.from(text.split(":"), (pair) => Number.parseInt(pair, 16));
}
