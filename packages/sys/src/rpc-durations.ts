import { ops } from "./ops.ts";
import { label, sample } from "./prometheus.ts";

/** Upper bounds of the buckets, ms; upstream's. */
const BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] as const;

interface Histogram {
  /** Of each bucket by itself; the last one has what took longer than any bound. */
  readonly counts: number[];
  sumMs: number;
}

/** How long remote calls took, by action, for Prometheus. Actions are the names of methods: there are few. */
export class RpcDurations {
  readonly #actions = new Map<string, Histogram>();

  /** The outcome of a call, whose duration is counted however it ends. */
  async measure<T>(action: string, call: () => Promise<T>): Promise<T> {
    const begunMs = ops.monotonicMs();
    try {
      return await call();
    } finally {
      this.since(action, begunMs);
    }
  }

  /** Counts a call that ends now. @param begunMs of the monotonic clock */
  since(action: string, begunMs: number): void {
    this.observe(action, ops.monotonicMs() - begunMs);
  }

  observe(action: string, ms: number): void {
    let histogram = this.#actions.get(action);
    if (histogram === undefined) {
      histogram = { counts: new Array<number>(BOUNDS.length + 1).fill(0), sumMs: 0 };
      this.#actions.set(action, histogram);
    }
    let bucket = 0;
    while (ms > (BOUNDS[bucket] ?? Infinity)) bucket++;
    histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1;
    histogram.sumMs += ms;
  }

  /** Forgets what it has counted. */
  clear(): void {
    this.#actions.clear();
  }

  /** The family in Prometheus's text format; "" while there was no call. */
  metrics(name: string): string {
    if (this.#actions.size === 0) return "";
    const histograms = [...this.#actions].map(([action, each]) => histogramText(name, action, each));
    return `# TYPE ${name} histogram\n${histograms.join("")}`;
  }
}

function histogramText(name: string, action: string, { counts, sumMs }: Histogram): string {
  const labels = label("action", action);
  let text = "";
  let total = 0;
  counts.forEach((count, bucket) => {
    total += count;
    text += sample(`${name}_bucket`, `${labels},le="${BOUNDS[bucket] ?? "+Inf"}"`, total);
  });
  return text + sample(`${name}_sum`, labels, sumMs) + sample(`${name}_count`, labels, total);
}
