import { KataError } from "@kata-containers/sys";
import type { Options } from "../command.ts";
import { parseGoDuration } from "../go-duration.ts";

export const eventsOptions = {
  interval: { value: "DURATION", help: "time between two lines of figures: 5s (default), 500ms, 1m30s" },
  stats: { help: "print the figures once, and nothing else" },
} as const satisfies Options;

/** Milliseconds between two lines. @throws KataError InvalidArgument with runc's words */
export function readInterval(text = "5s"): number {
  const ms = parseGoDuration(text);
  if (ms !== undefined && ms >= 1) return ms;
  throw new KataError("InvalidArgument", "events: duration interval must be greater than 0");
}
