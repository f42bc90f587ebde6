import { isSysError } from "@kata-containers/sys";
import type { Rtnetlink } from "./rtnetlink.ts";

/** The kernel gives the link no IPv6 address of its own making. Nothing to do where it has no IPv6. */
export function stopIpv6Generation(rtnetlink: Rtnetlink, link: number): void {
  try {
    rtnetlink.setLink(link, { noIpv6Generation: true });
  } catch (error) {
    if (!isSysError(error, "EAFNOSUPPORT")) throw error;
  }
}
