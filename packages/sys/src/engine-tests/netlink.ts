import { CLONE, Fd, NETLINK, O, ops } from "../index.ts";
import { child, equal, fails, ok, outcomeOf, startChild, test } from "./harness.ts";

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;

/** A link message: nlmsghdr, then ifinfomsg with this index, flags and mask of flags to change. */
function linkMessage(type: number, flags: number, index = 0, up = false): Uint8Array {
  const message = new Uint8Array(32);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, 77, true);
  view.setInt32(20, index, true);
  view.setUint32(24, up ? 1 : 0, true);
  view.setUint32(28, up ? 1 : 0, true);
  return message;
}

const nameOf = (body: Uint8Array) => /[\w-]+/.exec(ops.utf8Decode(body.subarray(20, 36)))?.[0];

test("RTM_GETLINK lists the links, and asks for one", () => {
  using socket = new Fd(ops.netlink(NETLINK.ROUTE, 0));
  const links = ops.netlinkRequest(socket.number, linkMessage(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP));
  ok(
    links.some((link) => nameOf(link) === "lo"),
    "lo is among them",
  );
  const one = ops.netlinkRequest(socket.number, linkMessage(RTM_GETLINK, NLM_F_REQUEST, 1));
  equal(one.map(nameOf), ["lo"]);
});

test("an error reply throws its errno, and the socket goes on", async () => {
  using socket = new Fd(ops.netlink(NETLINK.ROUTE, 0));
  const bad = linkMessage(RTM_GETLINK, NLM_F_REQUEST, 99999);
  await fails(() => ops.netlinkRequest(socket.number, bad), "ENODEV", "netlink request");
  const refused = linkMessage(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, 1);
  await fails(() => ops.netlinkRequest(socket.number, refused), "ENOTSUP");
  equal(ops.netlinkRequest(socket.number, linkMessage(RTM_GETLINK, NLM_F_REQUEST, 1)).length, 1);
  await fails(() => ops.netlinkRequest(socket.number, new Uint8Array(4)), "EINVAL", "netlink_request");
  await fails(() => ops.netlinkRequest(999, bad), "EBADF");
  await fails(() => ops.netlink(9999, 0), "EPROTONOSUPPORT", "socket");
});

child("events", async () => {
  const RTMGRP_LINK = 1;
  using events = new Fd(ops.netlink(NETLINK.ROUTE, RTMGRP_LINK));
  const pending = ops.readable(events.number);
  using socket = new Fd(ops.netlink(NETLINK.ROUTE, 0));
  equal(ops.netlinkRequest(socket.number, linkMessage(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, true)), []);
  await pending;
  equal(nameOf((await ops.read(events.number, 65536)).subarray(16)), "lo");
  return 0;
});

test("a link set up in a network namespace is acknowledged, and heard of", async () => {
  equal(await outcomeOf(startChild("events", "", { unshare: CLONE.NEWNET })), { code: 0, text: "" });
});

child("tap", async () => {
  using tun = new Fd(ops.open("/dev/net/tun", O.RDWR | O.CLOEXEC, 0));
  ops.tapCreate(tun.number, "tap0_kata");
  using socket = new Fd(ops.netlink(NETLINK.ROUTE, 0));
  const names = () =>
    ops.netlinkRequest(socket.number, linkMessage(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP)).map(nameOf);
  ok(names().includes("tap0_kata"), "the tap is there");
  using second = new Fd(ops.open("/dev/net/tun", O.RDWR | O.CLOEXEC, 0));
  await fails(() => ops.tapCreate(second.number, "tap0_kata"), "EBUSY", "ioctl TUNSETIFF", "tap0_kata");
  await fails(() => ops.tapCreate(second.number, "a name of 16 byt"), "EINVAL", "tap_create");
  await fails(() => ops.tapCreate(second.number, "tap%d"), "EINVAL", "tap_create");
  await fails(() => ops.tapCreate(socket.number, "tap1_kata"), "ENOTTY", "ioctl TUNSETIFF");
  tun.close();
  ok(!names().includes("tap0_kata"), "the tap went with its descriptor");
  return 0;
});

test("a tap is made under a name that is free, and goes with its last descriptor", async () => {
  equal(await outcomeOf(startChild("tap", "", { unshare: CLONE.NEWNET })), { code: 0, text: "" });
});

child("elsewhere", async (place) => {
  using other = new Fd(ops.open(place, O.RDONLY | O.CLOEXEC, 0));
  const own = ops.readlink("/proc/thread-self/ns/net");
  using socket = new Fd(ops.netlinkIn(other.number, NETLINK.ROUTE));
  equal(ops.netlinkRequest(socket.number, linkMessage(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, true)), []);
  equal(ops.readlink("/proc/thread-self/ns/net"), own, "own namespace");
  using here = new Fd(ops.netlink(NETLINK.ROUTE, 0));
  const [lo] = ops.netlinkRequest(here.number, linkMessage(RTM_GETLINK, NLM_F_REQUEST, 1));
  equal((lo?.[8] ?? 0) & 1, 0, "the own lo's IFF_UP");
  await fails(() => ops.netlinkIn(socket.number, NETLINK.ROUTE), "EINVAL", "setns");
  return 0;
});

child("place", async () => {
  const namespace = `/proc/${ops.getpid()}/ns/net`;
  equal(await outcomeOf(startChild("elsewhere", namespace, { unshare: CLONE.NEWNET })), {
    code: 0,
    text: "",
  });
  using here = new Fd(ops.netlink(NETLINK.ROUTE, 0));
  const [lo] = ops.netlinkRequest(here.number, linkMessage(RTM_GETLINK, NLM_F_REQUEST, 1));
  equal((lo?.[8] ?? 0) & 1, 1, "lo's IFF_UP");
  return 0;
});

test("a socket of another namespace acts there, and the caller stays where it is", async () => {
  equal(await outcomeOf(startChild("place", "", { unshare: CLONE.NEWNET })), { code: 0, text: "" });
});
