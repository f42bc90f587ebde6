import { openRtnetlink } from "@kata-containers/netlink";

const LOOPBACK_INDEX = 1;

/** Brings the guest's loopback interface up; the kernel gives it its addresses. */
export function bringLoopbackUp(): void {
  using rtnetlink = openRtnetlink();
  rtnetlink.setLink(LOOPBACK_INDEX, { up: true });
}
