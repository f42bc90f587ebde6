import { type Ops, sleep } from "@kata-containers/sys";

/** A sample is exact to some 100 ns: over this time, to a ten-thousandth. The kernel bears a hundredth. */
const MIN_INTERVAL_MS = 2;

/**
 * Measures the frequency of the host's time-stamp counter, which is that of an emulated guest too. Call it early, and its result
 * when the frequency is needed: it waits only if that is within 2 ms.
 * @returns what resolves with kHz; with undefined on a machine without such a counter
 */
export function measureTsc(ops: Pick<Ops, "tsc">): () => Promise<number | undefined> {
  const first = sample(ops);
  return async () => {
    if (first === undefined) return undefined;
    for (;;) {
      const next = sample(ops);
      if (next === undefined) return undefined;
      const ms = next.ms - first.ms;
      if (ms >= MIN_INTERVAL_MS) return Math.round((next.ticks - first.ticks) / ms);
      await sleep(MIN_INTERVAL_MS - ms);
    }
  };
}

function sample(ops: Pick<Ops, "tsc">): ReturnType<Ops["tsc"]> | undefined {
  try {
    return ops.tsc();
  } catch {
    return undefined;
  }
}
