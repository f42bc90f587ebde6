import type { Init, NetworkStats } from "@kata-containers/protocols";

/** The guest's interfaces by /proc/net/dev (proc(5)): bytes, packets, errors, drops of either direction. */
export function parseNetworkStats(text: string): Init<NetworkStats>[] {
  return text.split("\n").flatMap((line) => {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).trim();
    if (name === "" || name === "lo") return [];
    const [rxBytes, rxPackets, rxErrors, rxDropped, , , , , txBytes, txPackets, txErrors, txDropped] = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    return [{ name, rxBytes, rxPackets, rxErrors, rxDropped, txBytes, txPackets, txErrors, txDropped }];
  });
}
