const KIB = 1024;

/** One figure of a family; its labels as `label` writes them, joined by commas, or "". */
export type Sample = readonly [labels: string, value: number];

/** One gauge in Prometheus's text format. */
export function gauge(name: string, value: number): string {
  return gauges(name, [["", value]]);
}

/** A family of gauges in Prometheus's text format; "" when there are no samples. */
export function gauges(name: string, samples: readonly Sample[]): string {
  return family(name, "gauge", samples);
}

/** A family of gauges that differ in the label `item`, whose values are words. */
export function itemGauges(name: string, items: ReadonlyMap<string, number>): string {
  return gauges(
    name,
    [...items].map(([item, value]): Sample => [`item="${item}"`, value]),
  );
}

/** A family that only grows, of one figure. */
export function counter(name: string, value: number): string {
  return family(name, "counter", [["", value]]);
}

function family(name: string, type: "gauge" | "counter", samples: readonly Sample[]): string {
  if (samples.length === 0) return "";
  const lines = samples.map(([labels, value]) => sample(name, labels, value));
  return `# TYPE ${name} ${type}\n${lines.join("")}`;
}

/** One line: `name{label="value"} number`. */
export function sample(name: string, labels: string, value: number): string {
  return labels === "" ? `${name} ${value}\n` : `${name}{${labels}} ${value}\n`;
}

/** A label with whatever value, by Prometheus's text format. */
export function label(name: string, value: string): string {
  const escaped = value.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
  return `${name}="${escaped}"`;
}

/** Bytes of a line `Key:  N kB` of a /proc file (proc(5): its kB are KiB); 0 when there is none. */
export function procBytes(text: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * KIB;
}
