import { join } from "node:path";
import { openRtnetlink, parseMac, type Rtnetlink, stopIpv6Generation } from "@kata-containers/netlink";
import { Fd, loadNodeAddon, O, ops } from "@kata-containers/sys";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { NetworkNamespace, TestNetwork } from "../harness/network.ts";
import { repository } from "../harness/programs.ts";

let network: TestNetwork;
let inside: NetworkNamespace;
let rtnetlink: Rtnetlink;

beforeAll(() => loadNodeAddon(join(repository, "build/node/kata-sys.node")));
beforeEach(async () => {
  network = await TestNetwork.open();
  inside = network.inside;
  rtnetlink = open(inside);
});
afterEach(async () => {
  rtnetlink[Symbol.dispose]();
  await network.close();
});

function open(namespace: NetworkNamespace): Rtnetlink {
  const fd = new Fd(ops.open(namespace.path, O.RDONLY | O.CLOEXEC, 0));
  try {
    return openRtnetlink(fd);
  } finally {
    fd.close();
  }
}

const indexOf = (name: string, of: Rtnetlink = rtnetlink) =>
  of.links().find((link) => link.name === name)?.index ?? Number.NaN;
const json = (...words: string[]) => JSON.parse(inside.run("ip", "-j", "-d", ...words) || "[]");

/** Of `ip -j -d link`. */
interface ShownLink {
  readonly ifindex: number;
  readonly ifname: string;
  readonly mtu: number;
  readonly address?: string;
  readonly flags: readonly string[];
  readonly link_type: string;
  readonly linkinfo?: { readonly info_kind?: string };
}

test("links are those that ip(8) shows, with kind, flags, MTU and hardware address", () => {
  network.connect("eth0", 61, 1400);
  inside.ip(
    "link add br0 type bridge",
    "link add link eth0 name mac0 type macvlan mode bridge",
    "tuntap add tap9 mode tap",
    "tuntap add tun9 mode tun",
    "link add vx0 type vxlan id 7 dstport 4789",
  );
  const shown = json("link").map((link: ShownLink) => ({
    index: link.ifindex,
    name: link.ifname,
    kind: link.linkinfo?.info_kind ?? "",
    mtu: link.mtu,
    mac: link.address ?? "",
    up: link.flags.includes("UP"),
    ethernet: link.link_type === "ether",
  }));
  expect(shown).toHaveLength(rtnetlink.links().length);
  expect(
    rtnetlink.links().map(({ index, name, kind, mtu, mac, flags, hardware }) => ({
      ...{ index, name, kind, mtu, mac },
      up: (flags & 1) !== 0,
      ethernet: hardware === 1,
    })),
  ).toEqual(shown);
  expect(rtnetlink.links().map(({ name, kind }) => `${name} ${kind}`)).toEqual(
    expect.arrayContaining([
      "lo ",
      "eth0 veth",
      "br0 bridge",
      "mac0 macvlan",
      "tap9 tun",
      "tun9 tun",
      "vx0 vxlan",
    ]),
  );
});

test("a link is renamed, moved up and down, and given another MTU and hardware address", () => {
  inside.ip("link add v0 type veth peer name w0");
  const index = indexOf("v0");
  rtnetlink.setLink(index, { name: "eth7", mtu: 1280, mac: "02:00:00:00:00:07", arp: false });
  rtnetlink.setLink(index, { up: true });
  const [shown] = json("link", "show", "eth7");
  expect(shown).toMatchObject({ ifindex: index, mtu: 1280, address: "02:00:00:00:00:07" });
  expect(shown.flags).toEqual(expect.arrayContaining(["UP", "NOARP"]));
  rtnetlink.setLink(index, { up: false, arp: true });
  expect(json("link", "show", "eth7")[0].flags).not.toEqual(expect.arrayContaining(["UP"]));
  expect(() => rtnetlink.setLink(index, { name: "w0" })).toThrow(/EEXIST/);
  expect(() => rtnetlink.setLink(9999, { up: true })).toThrow(/ENODEV/);
  expect(() => parseMac("02:00")).toThrow();
});

test("a link for which IPv6's own addresses are stopped has none when it is up", async () => {
  inside.ip("link add v0 type veth peer name w0", "link set w0 up");
  stopIpv6Generation(rtnetlink, indexOf("v0"));
  rtnetlink.setLink(indexOf("v0"), { up: true });
  const ofLink = (name: string) => rtnetlink.addresses().filter(({ link }) => link === indexOf(name));
  await expect.poll(() => ofLink("w0").length).toBe(1);
  expect(ofLink("v0")).toEqual([]);
});

test("addresses are those that ip(8) shows; one is added, with IPv6's usable at once, and deleted", () => {
  network.connect("eth0", 62);
  const link = indexOf("eth0");
  rtnetlink.addAddress({ link, address: "10.62.7.1", prefix: 30 });
  rtnetlink.addAddress({ link, address: "fd62::7", prefix: 128 });
  const shown = () =>
    json("address").flatMap((each: { ifindex: number; addr_info: { local: string; prefixlen: number }[] }) =>
      each.addr_info.map(({ local, prefixlen }) => `${each.ifindex} ${local}/${prefixlen}`),
    );
  const ours = () => rtnetlink.addresses().map(({ link, address, prefix }) => `${link} ${address}/${prefix}`);
  expect(ours().sort()).toEqual(shown().sort());
  expect(inside.run("ip", "address", "show", "eth0")).toMatch(/inet 10\.62\.7\.1\/30 brd 10\.62\.7\.3/);
  expect(inside.run("ip", "address", "show", "eth0")).not.toMatch(/fd62::7.*tentative/);
  expect(rtnetlink.addresses().every(({ permanent }) => permanent)).toBe(true);
  inside.ip("address add 10.62.8.1/24 dev eth0 valid_lft 100 preferred_lft 100");
  expect(rtnetlink.addresses().find(({ address }) => address === "10.62.8.1")?.permanent).toBe(false);
  rtnetlink.deleteAddress({ link, address: "fd62::7", prefix: 128 });
  expect(ours()).not.toContain(`${link} fd62::7/128`);
  expect(() => rtnetlink.addAddress({ link, address: "10.62.7.1", prefix: 30 })).toThrow(/EEXIST/);
});

test("routes are read as they were set by ip(8), and set so that ip(8) shows the same", () => {
  network.connect("eth0", 63);
  const lines = [
    "192.0.2.1 dev eth0 scope link",
    "198.51.100.0/24 via 192.0.2.1 dev eth0 onlink",
    "203.0.113.0/24 via 10.63.0.1 dev eth0 src 10.63.0.2 metric 9 mtu 1300",
    "default via 10.63.0.1 dev eth0",
  ];
  const lines6 = [
    "default via fe80::1 dev eth0 metric 1024 onlink pref medium",
    "fd99::/48 via fd63::1 dev eth0 metric 7 pref medium",
  ];
  const shown = () =>
    ["-4", "-6"].map((family) =>
      inside.run("ip", family, "route", "show", "proto", "boot").replaceAll(/ +$/gm, ""),
    );
  inside.ip(...lines.map((line) => `route add ${line}`));
  inside.ip(...lines6.map((line) => `-6 route add ${line.replace(" pref medium", "")}`));
  const before = shown();
  const set = rtnetlink.routes().filter(({ protocol }) => protocol === 3);
  expect(set.map(({ destination }) => destination)).toEqual(
    expect.arrayContaining(["192.0.2.1/32", "198.51.100.0/24", "203.0.113.0/24", undefined, "fd99::/48"]),
  );
  for (const route of set) rtnetlink.deleteRoute(route);
  expect(shown()).toEqual(["", ""]);
  const direct = set.filter(({ gateway }) => gateway === undefined);
  for (const route of [...direct, ...set.filter((each) => !direct.includes(each))]) rtnetlink.addRoute(route);
  expect(shown()).toEqual(before);
  expect(rtnetlink.routes().every(({ beyond }) => beyond === undefined)).toBe(true);
});

test("a route that another program has set is deleted as well, and what is beyond our words says so", () => {
  network.connect("eth0", 64);
  inside.ip(
    "route add 192.0.2.0/24 dev eth0 proto static",
    "-6 route add fd98::/64 dev eth0 proto static",
    "route add 198.51.100.0/24 nexthop via 10.64.0.1 nexthop via 10.64.0.9",
    "route add blackhole 203.0.113.0/24",
    "route add 10.9.9.0/24 dev eth0 table 7",
  );
  const statics = rtnetlink.routes().filter(({ protocol }) => protocol === 4);
  expect(statics).toHaveLength(2);
  for (const route of statics) rtnetlink.deleteRoute(route);
  expect(rtnetlink.routes().filter(({ protocol }) => protocol === 4)).toEqual([]);
  const beyond = Object.fromEntries(rtnetlink.routes().map((route) => [route.destination, route.beyond]));
  expect(beyond).toMatchObject({ "198.51.100.0/24": "multipath", "203.0.113.0/24": "type 6" });
  expect(Object.keys(beyond)).not.toContain("10.9.9.0/24");
});

test("a destination with bits behind its prefix is set without them", () => {
  network.connect("eth0", 65);
  const route = {
    family: 2,
    destination: "192.0.2.77/24",
    gateway: undefined,
    link: indexOf("eth0"),
  } as const;
  rtnetlink.addRoute({ ...route, source: undefined, scope: 253, metric: 0, onLink: false, mtu: 0 });
  expect(inside.run("ip", "route")).toContain("192.0.2.0/24 dev eth0 scope link");
});

test("neighbours are read, and set for good", () => {
  network.connect("eth0", 66);
  const link = indexOf("eth0");
  for (const [address, mac] of [
    ["10.66.0.9", "02:00:00:00:00:09"],
    ["fd66::9", "02:00:00:00:00:0a"],
  ] as const)
    rtnetlink.setNeighbour({ link, address, mac, state: 0x80, flags: 0 });
  rtnetlink.setNeighbour({ link, address: "10.66.0.9", mac: "02:00:00:00:00:0b", state: 0x80, flags: 0 });
  const shown = inside.run("ip", "neighbour", "show", "nud", "permanent");
  expect(shown).toContain("10.66.0.9 dev eth0 lladdr 02:00:00:00:00:0b PERMANENT");
  expect(shown).toContain("fd66::9 dev eth0 lladdr 02:00:00:00:00:0a PERMANENT");
  expect(rtnetlink.neighbours()).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ address: "fd66::9", mac: "02:00:00:00:00:0a", state: 0x80 }),
    ]),
  );
});

test("frames that come in on one link go out of the other, past the namespace, until the qdiscs are deleted", async () => {
  network.connect("eth0", 67);
  const third = await NetworkNamespace.open();
  try {
    inside.ip(`link add far type veth peer name eth0 netns ${third.pid}`, "link set far up");
    third.ip("link set lo up", "address add 10.67.0.9/24 dev eth0", "link set eth0 up");
    await network.settled();
    const before = inside.picture();
    const [eth0, far] = [indexOf("eth0"), indexOf("far")];
    for (const [from, to] of [
      [eth0, far],
      [far, eth0],
    ] as const) {
      rtnetlink.addIngress(from);
      rtnetlink.redirect(from, to, "0123456789abcdef");
    }
    network.outside.run("busybox", "ping", "-c", "1", "-W", "5", "10.67.0.9");
    expect(() => network.outside.run("busybox", "ping", "-c", "1", "-W", "1", "10.67.0.2")).toThrow();
    expect([...rtnetlink.ingressLinks()].sort()).toEqual([eth0, far].sort());
    expect(rtnetlink.filterMarks(eth0)).toContain("0123456789abcdef");
    expect(inside.run("tc", "filter", "show", "dev", "eth0", "ingress")).toMatch(
      /protocol all pref 1 u32[\s\S]*mirred \(Egress Redirect to device far\) stolen/,
    );
    expect(() => rtnetlink.addIngress(eth0)).toThrow(/EEXIST/);
    rtnetlink.deleteIngress(eth0);
    rtnetlink.deleteIngress(far);
    expect(() => rtnetlink.deleteIngress(far)).toThrow(/ENOENT|EINVAL/);
    expect(inside.picture()).toBe(before);
    network.outside.run("busybox", "ping", "-c", "1", "-W", "5", "10.67.0.2");
  } finally {
    await third.close();
  }
});
