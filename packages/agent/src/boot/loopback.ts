import { ops } from "@kata-containers/sys";

const NETLINK_ROUTE = 0;
const RTM_NEWLINK = 16;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const IFF_UP = 1;
const LOOPBACK_INDEX = 1;
const NLMSG_HEADER = 16;
const IFINFO = 16;

/** The request that brings lo up: nlmsghdr and ifinfomsg of rtnetlink(7), without attributes. */
export function loopbackUpRequest(): Uint8Array {
  const message = new DataView(new ArrayBuffer(NLMSG_HEADER + IFINFO));
  message.setUint32(0, message.byteLength, true);
  message.setUint16(4, RTM_NEWLINK, true);
  message.setUint16(6, NLM_F_REQUEST | NLM_F_ACK, true);
  message.setUint32(8, 1, true);
  message.setInt32(NLMSG_HEADER + 4, LOOPBACK_INDEX, true);
  message.setUint32(NLMSG_HEADER + 8, IFF_UP, true);
  message.setUint32(NLMSG_HEADER + 12, IFF_UP, true);
  return new Uint8Array(message.buffer);
}

/** Brings the guest's loopback interface up; the kernel gives it its addresses. */
export function bringLoopbackUp(): void {
  const socket = ops.netlink(NETLINK_ROUTE, 0);
  try {
    ops.netlinkRequest(socket, loopbackUpRequest());
  } finally {
    ops.close(socket);
  }
}
