import type { Init, NetworkStats } from "@kata-containers/protocols";

/** The guest's interfaces by /proc/net/dev (proc(5)): bytes, packets, errors, drops of either direction. */
export function parseNetworkStats(text: string): Init<NetworkStats>[] {
  return text.split("\n").flatMap((line) => {
    const [, name, rest = ""] = /^\s*([^\s:]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || name === "lo") return [];
    const [rxBytes, rxPackets, rxErrors, rxDropped, , , , , txBytes, txPackets, txErrors, txDropped] = rest
      .split(/\s+/)
      .map(Number);
    return [{ name, rxBytes, rxPackets, rxErrors, rxDropped, txBytes, txPackets, txErrors, txDropped }];
  });
}
