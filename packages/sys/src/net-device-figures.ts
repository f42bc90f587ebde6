import { label, type Sample } from "./prometheus.ts";

/** The columns of /proc/net/dev, by the names of Kata's documentation. */
const COLUMNS = [
  ...["bytes", "packets", "errs", "drop", "fifo", "frame", "compressed", "multicast"].map(
    (each) => `recv_${each}`,
  ),
  ...["bytes", "packets", "errs", "drop", "fifo", "colls", "carrier", "compressed"].map(
    (each) => `sent_${each}`,
  ),
];

/** proc(5), /proc/net/dev: samples with the labels `interface` and `item`. */
export function netDeviceFigures(netDev: string): Sample[] {
  return netDev.split("\n").flatMap((line) => {
    const [, name, columns] = /^\s*(\S+):((?:\s+\d+)+)\s*$/.exec(line) ?? [];
    if (name === undefined || columns === undefined) return [];
    const values = columns.trim().split(/\s+/);
    const device = label("interface", name);
    return COLUMNS.map((item, column): Sample => [`${device},item="${item}"`, Number(values[column] ?? 0)]);
  });
}
