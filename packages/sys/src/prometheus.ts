const KIB = 1024;

export type Labels = Readonly<Record<string, string>>;

/** One figure of a family. */
export type Sample = readonly [labels: Labels, value: number];

/** One gauge in Prometheus's text format. */
export function gauge(name: string, value: number): string {
  return gauges(name, [[{}, value]]);
}

/** A family of gauges in Prometheus's text format; "" when there are no samples. */
export function gauges(name: string, samples: readonly Sample[]): string {
  return family(name, "gauge", samples);
}

/** A family of gauges that differ in the label `item`. */
export function itemGauges(name: string, items: ReadonlyMap<string, number>): string {
  return gauges(
    name,
    [...items].map(([item, value]): Sample => [{ item }, value]),
  );
}

/** A family that only grows, of one figure. */
export function counter(name: string, value: number): string {
  return family(name, "counter", [[{}, value]]);
}

function family(name: string, type: "gauge" | "counter", samples: readonly Sample[]): string {
  if (samples.length === 0) return "";
  const lines = samples.map(([labels, value]) => sample(name, labels, value));
  return `# TYPE ${name} ${type}\n${lines.join("")}`;
}

/** One line: `name{label="value"} number`. */
export function sample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
}

/** Prometheus's text format, label_value. */
function escapeLabel(text: string): string {
  return text.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}

/** Bytes of a line `Key:  N kB` of a /proc file (proc(5): its kB are KiB); 0 when there is none. */
export function procBytes(text: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * KIB;
}
