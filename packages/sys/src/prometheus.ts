const KIB = 1024;

/** One gauge in Prometheus's text format. */
export function gauge(name: string, value: number): string {
  return `# TYPE ${name} gauge\n${name} ${value}\n`;
}

/** Bytes of a line `Key:  N kB` of a /proc file (proc(5): its kB are KiB); 0 when there is none. */
export function procBytes(text: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * KIB;
}
