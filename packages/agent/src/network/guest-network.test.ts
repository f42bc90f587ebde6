import { IFF, type NetworkChanges } from "@kata-containers/netlink";
import { FakeRtnetlink, fakeLink } from "@kata-containers/netlink/testing";
import { ARPNeighbor, type Init, Interface, IPFamily, Route } from "@kata-containers/protocols";
import { beforeEach, expect, test } from "vitest";
import { GuestNetwork } from "./guest-network.ts";

const MAC = "02:42:ac:11:00:02";
const lo = fakeLink({ index: 1, name: "lo", flags: IFF.UP | IFF.LOOPBACK, mac: "00:00:00:00:00:00" });
const card = fakeLink({ index: 2, name: "eth0", kind: "", mac: MAC, flags: 0 });

let rtnetlink: FakeRtnetlink;
let loaded: string[];
let network: GuestNetwork;
/** Something in the guest's network changes. */
let change: () => void;
let waited: number;
/** How often new devices were looked for. */
let found: number;

beforeEach(() => {
  rtnetlink = new FakeRtnetlink(lo, card);
  loaded = [];
  waited = 0;
  found = 0;
  network = new GuestNetwork({
    modules: { load: (name) => void loaded.push(name) },
    hotplugTimeoutMs: 20,
    devices: { find: () => void found++ },
    open: () => rtnetlink,
    watch: () => fakeChanges(),
  });
});

function fakeChanges(): NetworkChanges {
  return {
    next: () => {
      waited++;
      return new Promise((resolve) => {
        change = () => resolve(true);
      });
    },
    [Symbol.dispose]() {},
  };
}

const v4 = (address: string, mask: string) => ({ family: IPFamily.v4, address, mask });
const update = (message: Init<Interface>) =>
  network.updateInterface(Interface.decode(Interface.encode({ name: "eth0", hwAddr: MAC, ...message })));
const routesOf = (...routes: Init<Route>[]) => routes.map((each) => Route.decode(Route.encode(each)));
const asked = (call: string) => rtnetlink.asked.filter((each) => each.startsWith(call));

test("a card gets its name, MTU, flags and addresses while it is down, then comes up", async () => {
  const IPAddresses = [v4("172.17.0.2", "16"), { family: IPFamily.v6, address: "fd00::2", mask: "64" }];
  const answer = await update({ name: "net1", mtu: 1400, rawFlags: IFF.NOARP, IPAddresses });
  expect(answer).toMatchObject({ name: "net1", mtu: 1400, hwAddr: MAC, rawFlags: IFF.UP | IFF.NOARP });
  expect(answer.IPAddresses).toEqual(IPAddresses);
  expect(rtnetlink.asked.at(-1)).toBe('setLink {"index":2,"up":true}');
  expect(loaded).toEqual(["virtio_net"]);
});

test("an address is the same however it is written", async () => {
  await update({ IPAddresses: [{ family: IPFamily.v6, address: "FD00:0::2", mask: "64" }] });
  rtnetlink.asked.length = 0;
  await update({ IPAddresses: [{ family: IPFamily.v6, address: "fd00::2", mask: "64" }] });
  expect(asked("deleteAddress")).toEqual([]);
  const route = { gateway: "fd00::1", device: "eth0" };
  network.updateRoutes(routesOf({ dest: "FD01::7/64", ...route }));
  network.updateRoutes(routesOf({ dest: "fd01::/64", ...route }));
  expect(rtnetlink.asked.filter((each) => each.includes("Route"))).toHaveLength(1);
});

test("told again, its addresses are those of the last time and no others, and it stays up", async () => {
  await update({ IPAddresses: [v4("10.0.0.1", "8"), v4("10.0.0.2", "8")] });
  rtnetlink.asked.length = 0;
  await update({ IPAddresses: [v4("10.0.0.2", "8"), v4("10.0.0.3", "8")] });
  expect(asked("deleteAddress")).toEqual(['deleteAddress {"link":2,"address":"10.0.0.1","prefix":8}']);
  expect(asked("addAddress")).toEqual(['addAddress {"link":2,"address":"10.0.0.3","prefix":8}']);
  expect(asked("setLink").filter((each) => each.includes('"up":false'))).toEqual([]);
});

test("two cards swap their names", async () => {
  const other = "02:42:ac:11:00:03";
  rtnetlink.linkList.push(fakeLink({ index: 3, name: "eth1", kind: "", mac: other }));
  await update({ name: "eth1" });
  await update({ name: "eth0", hwAddr: other.toUpperCase() });
  expect(rtnetlink.links().map(({ name, mac }) => [name, mac])).toEqual([
    ["lo", lo.mac],
    ["eth1", MAC],
    ["eth0", other],
  ]);
});

test("a card that is plugged in meanwhile is waited for, by events and not for ever", async () => {
  rtnetlink.linkList = [lo];
  const updating = update({});
  await expect.poll(() => waited).toBe(1);
  change();
  await expect.poll(() => waited).toBe(2);
  rtnetlink.linkList = [lo, card];
  change();
  expect(await updating).toMatchObject({ hwAddr: MAC });
  rtnetlink.linkList = [lo];
  await expect(update({})).rejects.toMatchObject({
    code: "DeadlineExceeded",
    message: `network card ${MAC} did not appear within 20 ms`,
  });
});

test("a bridge that has taken a card's hardware address over is not taken for it", async () => {
  rtnetlink.linkList.splice(1, 0, fakeLink({ index: 9, name: "br0", kind: "bridge", mac: MAC }));
  await update({ mtu: 1300 });
  expect(asked("setLink").every((each) => each.includes('"index":2'))).toBe(true);
});

test.each<[string, Init<Interface>, RegExp]>([
  ["no hardware address", { hwAddr: "" }, /^hwAddr: "" is no Ethernet address/],
  ["a name with a slash", { name: "../eth0" }, /^name: "\.\.\/eth0" is no network interface's name/],
  ["a name that is too long", { name: "a".repeat(16) }, /is no network interface's name/],
  ["no address", { IPAddresses: [v4("10.0.0", "8")] }, /^IPAddresses: "10.0.0" is no IP address/],
  [
    "a prefix that is too long",
    { IPAddresses: [v4("10.0.0.1", "33")] },
    /^IPAddresses: "33" is no prefix length/,
  ],
])("an interface with %s is refused, and nothing was changed", async (_, message, why) => {
  await expect(update(message)).rejects.toMatchObject({
    code: "InvalidArgument",
    message: expect.stringMatching(why),
  });
  expect(rtnetlink.asked).toEqual([]);
});

const gateway = { dest: "", gateway: "10.0.0.1", device: "eth0" };
const direct = { dest: "10.0.0.1", device: "eth0", scope: 253, family: IPFamily.v4 };

test("routes without a gateway are there before those that need them", () => {
  network.updateRoutes(
    routesOf(gateway, direct, { dest: "fd00:1::/64", gateway: "fe80::1", device: "eth0", flags: 4 }),
  );
  expect(rtnetlink.routes()).toMatchObject([
    { destination: "10.0.0.1/32", gateway: undefined, scope: 253, link: 2 },
    { destination: undefined, gateway: "10.0.0.1", family: 2 },
    { destination: "fd00:1::/64", gateway: "fe80::1", family: 10, onLink: true, metric: 1024 },
  ]);
});

test("routes are replaced: what stays is not touched, the kernel's own neither", () => {
  network.updateRoutes(routesOf(direct, gateway));
  const kernels = { ...rtnetlink.routes()[0], destination: "10.0.0.0/8", protocol: 2 };
  rtnetlink.routeList.push(kernels as (typeof rtnetlink.routeList)[number]);
  rtnetlink.asked.length = 0;
  const answer = network.updateRoutes(routesOf(direct, { ...gateway, gateway: "10.0.0.2" }));
  expect(rtnetlink.asked).toEqual([
    'deleteRoute {"destination":"default","gateway":"10.0.0.1"}',
    'addRoute {"destination":"default","gateway":"10.0.0.2"}',
  ]);
  expect(answer.map(({ dest }) => dest)).toEqual(["10.0.0.1/32", "10.0.0.0/8", ""]);
});

test("a default route without a gateway is of the family that the message says", () => {
  network.updateRoutes(
    routesOf({ device: "eth0", family: IPFamily.v6 }, { dest: "0.0.0.0/0", device: "eth0" }),
  );
  expect(rtnetlink.routes().map(({ family }) => family)).toEqual([10, 2]);
});

test.each<[Init<Route>, string]>([
  [{ dest: "10.0.0.0/8", device: "eth7" }, 'route 10.0.0.0/8: no network interface "eth7"'],
  [{ dest: "10.0.0.0/40", device: "eth0" }, 'route 10.0.0.0/40: "40" is no prefix length up to 32'],
  [{ gateway: "nowhere", device: "eth0" }, 'route default: "nowhere" is no IP address'],
])("a route that makes no sense is refused before any is changed: %j", (route, message) => {
  expect(() => network.updateRoutes(routesOf(direct, route))).toThrow(message);
  expect(rtnetlink.asked).toEqual([]);
});

test("neighbours are permanent unless the message says otherwise; a prefix in their address says nothing", () => {
  const neighbour = { toIPAddress: v4("10.0.0.9/8", ""), device: "eth0", lladdr: "02:00:00:00:00:09" };
  network.addNeighbours([ARPNeighbor.decode(ARPNeighbor.encode(neighbour))]);
  expect(rtnetlink.neighbours()).toMatchObject([
    { address: "10.0.0.9", mac: "02:00:00:00:00:09", state: 0x80 },
  ]);
  const stranger = ARPNeighbor.decode(ARPNeighbor.encode({ ...neighbour, device: "eth9" }));
  expect(() => network.addNeighbours([stranger])).toThrow('neighbour 10.0.0.9: no network interface "eth9"');
});

test("interfaces are listed with their addresses", async () => {
  await update({ IPAddresses: [v4("10.0.0.1", "8")] });
  expect(network.interfaces()).toMatchObject([
    { name: "lo" },
    { name: "eth0", IPAddresses: [v4("10.0.0.1", "8")] },
  ]);
});
