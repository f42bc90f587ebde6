import type { KataConfig } from "@kata-containers/config";
import { KataError } from "@kata-containers/sys";
import { tryRedirection } from "@kata-containers/virtcontainers";
import { type Finding, ok, warning } from "./finding.ts";

const ADVICE =
  'modprobe -a tun sch_ingress cls_u32 act_mirred, or set internetworking_model = "none" of [runtime]';

/** Whether interfaces can be connected to a VM: one is, where nobody sees it. Sandboxes that have a network need it only. */
export function checkNetwork(
  { runtime: { internetworking_model } }: KataConfig,
  attempt = tryRedirection,
): Finding[] {
  if (internetworking_model === "none") return [ok("network", "none")];
  try {
    attempt();
    return [ok("network", `${internetworking_model} (/dev/net/tun, tc's redirection)`)];
  } catch (error) {
    const why = KataError.from(error).message;
    return [warning("network", `${why}: sandboxes without a network work alone`, ADVICE)];
  }
}
