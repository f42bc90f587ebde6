import type { Timestamp } from "@kata-containers/protocols";

/** @param ms since the epoch; parts of a millisecond count, to the microsecond */
export function timestampOf(ms: number): Timestamp {
  const micros = Math.round(ms * 1000);
  const seconds = Math.floor(micros / 1_000_000);
  return { seconds, nanos: (micros - seconds * 1_000_000) * 1000 };
}
