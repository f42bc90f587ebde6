import { ARPHRD, IFF, type NetworkChanges } from "@kata-containers/netlink";
import { FakeRtnetlink, fakeLink } from "@kata-containers/netlink/testing";
import { KataError, Logger, type Ops, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Nic } from "../hypervisor/hypervisor.ts";
import { FakeAgent, settle } from "../testing/sandbox-world.ts";
import { releaseAll } from "./redirect.ts";
import { NamespaceNetwork } from "./sandbox-network.ts";

const lo = fakeLink({ index: 1, name: "lo", flags: IFF.UP | IFF.LOOPBACK });
const eth0 = fakeLink({ index: 2, name: "eth0", mtu: 1400 });
const eth1 = fakeLink({ index: 3, name: "eth1" });

let rtnetlink: FakeRtnetlink;
let warnings: string[];
let open: Map<number, string>;
let agent: FakeAgent;
let plugged: string[];
let refusePlug: KataError | undefined;
/** Of the card that is refused; undefined: all are. */
let refusedMac: string | undefined;
/** The namespace has changed. */
let change: () => void;
let stopWatch: () => void;

beforeEach(() => {
  rtnetlink = new FakeRtnetlink(lo, eth0, eth1);
  warnings = [];
  open = new Map();
  agent = new FakeAgent();
  plugged = [];
  refusePlug = undefined;
  refusedMac = undefined;
  let fds = 100;
  let indexes = 50;
  const fake: Partial<Ops> = {
    open: (path) => {
      open.set(++fds, path);
      return fds;
    },
    close: (fd) => {
      const name = open.get(fd);
      open.delete(fd);
      // A tap goes with its last descriptor: here nobody else has one.
      rtnetlink.linkList = rtnetlink.linkList.filter((link) => link.name !== name || vmHas(fd));
    },
    tapCreate: (fd, name) => {
      open.set(fd, name);
      rtnetlink.linkList.push(fakeLink({ index: ++indexes, name, kind: "tun", flags: 0 }));
    },
    realtimeMs: () => 0,
    getpid: () => 1,
  };
  setOps(fake as Ops);
});
afterEach(() => setOps(undefined));

const held = new Set<number>();
const vmHas = (fd: number) => held.has(fd);

function fakeChanges(): NetworkChanges {
  let tell: (going: boolean) => void = () => {};
  change = () => tell(true);
  stopWatch = () => tell(false);
  return {
    next: () =>
      new Promise((resolve) => {
        tell = resolve;
      }),
    [Symbol.dispose]: () => stopWatch(),
  };
}

const log = new Logger({ fd: -1, name: "test", level: "error" });
log.warn = (text) => void warnings.push(text);

function network(vhost = false): NamespaceNetwork {
  return new NamespaceNetwork({
    ...{ rtnetlink, vhost, mark: "0a0b", log },
    changes: fakeChanges(),
    resolver: { offer: async () => {} },
  });
}

const vm = {
  async plugNic({ id, mac, tap }: Nic) {
    if (refusePlug !== undefined && mac === (refusedMac ?? mac)) throw refusePlug;
    held.add(tap.number);
    plugged.push(`+${id} ${mac}`);
  },
  async unplugNic(id: string) {
    plugged.push(`-${id}`);
  },
};

const addresses = (...links: number[]) =>
  links.map((link) => ({ link, family: 2 as const, address: `10.0.0.${link}`, prefix: 24, permanent: true }));

/** The namespace changes and everything that follows has happened. */
async function changed(): Promise<void> {
  change();
  await settle();
}

test("an interface with an address has a tap of its MTU, their frames led to each other, both ways", () => {
  rtnetlink.addressList = addresses(2);
  const [nic, ...others] = network().nics;
  expect(others).toEqual([]);
  expect(nic).toMatchObject({ id: "net0", mac: eth0.mac, vhost: undefined });
  const tap = rtnetlink.links().find(({ name }) => name === "tap0_kata");
  expect(tap).toMatchObject({ mtu: 1400, flags: IFF.UP });
  expect([...rtnetlink.redirected]).toEqual([
    [tap?.index, 2],
    [2, tap?.index],
  ]);
});

test("loopback, what has no address and our own taps are no interfaces of the sandbox's", () => {
  rtnetlink.linkList.push(fakeLink({ index: 9, name: "tap0_kata", kind: "tun" }));
  rtnetlink.addressList = addresses(1, 9);
  expect(network().nics).toEqual([]);
  expect(rtnetlink.asked).toEqual([]);
});

test("interfaces are in the order of their names, and a tap's name is a free one", () => {
  rtnetlink.linkList = [fakeLink({ index: 9, name: "tap0_kata", kind: "tun" }), eth1, eth0];
  rtnetlink.addressList = addresses(2, 3);
  expect(network().nics.map(({ mac }) => mac)).toEqual([eth0.mac, eth1.mac]);
  expect(rtnetlink.links().map(({ name }) => name)).toContain("tap2_kata");
});

test("with vhost each card has a descriptor of it", () => {
  rtnetlink.addressList = addresses(2);
  const [nic] = network(true).nics;
  expect(open.get(nic?.vhost?.number ?? -1)).toBe("/dev/vhost-net");
});

test.each([
  [
    "bridge",
    ARPHRD.ETHERNET,
    "network interface eth1 is of kind bridge: only veth, macvlan, ipvlan, tun can be",
  ],
  ["", ARPHRD.ETHERNET, "network interface eth1 is hardware, or a device without a kind: only"],
  ["tun", 65534, "network interface eth1 (tun) has no Ethernet frames"],
])(
  "an interface of kind %j cannot be connected: the error names it, and nothing was changed",
  (kind, hardware, why) => {
    rtnetlink.linkList = [lo, eth0, { ...eth1, kind, hardware }];
    rtnetlink.addressList = addresses(2, 3);
    expect(() => network()).toThrow(why);
    expect(rtnetlink.asked).toEqual([]);
    expect([...open]).toEqual([]);
  },
);

test("an interface whose frames are another's is refused, and those before it are released", () => {
  rtnetlink.addressList = addresses(2, 3);
  rtnetlink.ingress.set(3, []);
  expect(() => network()).toThrow(
    /^cannot connect network interface eth1 to the virtual machine: it has an ingress qdisc already/,
  );
  expect([...rtnetlink.ingress.keys()].filter((link) => link < 50)).toEqual([3]);
  expect([...open]).toEqual([]);
});

test("the guest is told all of the interfaces, then of routes and permanent neighbours", async () => {
  rtnetlink.addressList = [
    ...addresses(2),
    { link: 2, family: 10, address: "fd00::2", prefix: 64, permanent: true },
  ];
  const route = {
    family: 2 as const,
    destination: undefined,
    gateway: "10.0.0.1",
    link: 2,
    source: undefined,
  };
  const more = { scope: 0, metric: 5, onLink: true, mtu: 0, protocol: 3, beyond: undefined };
  rtnetlink.routeList = [
    { ...route, ...more },
    { ...route, ...more, destination: "10.0.0.0/24", gateway: undefined, protocol: 2 },
  ];
  const neighbour = { link: 2, family: 2 as const, mac: "02:00:00:00:00:99", flags: 0 };
  rtnetlink.neighbourList = [
    { ...neighbour, address: "10.0.0.9", state: 0x80 },
    { ...neighbour, address: "10.0.0.8", state: 2 },
  ];
  const sandbox = network();
  sandbox.started(vm);
  await sandbox.configure(agent);
  expect(agent.asked).toEqual(["UpdateInterface", "UpdateRoutes", "AddARPNeighbors"]);
  expect(agent.requests.get("UpdateInterface")).toMatchObject({
    interface: {
      name: "eth0",
      hwAddr: eth0.mac,
      mtu: 1400,
      IPAddresses: [
        { family: 0, address: "10.0.0.2", mask: "24" },
        { family: 1, address: "fd00::2", mask: "64" },
      ],
    },
  });
  expect(agent.requests.get("UpdateRoutes")).toMatchObject({
    routes: { Routes: [{ dest: "", gateway: "10.0.0.1", device: "eth0", flags: 4, metric: 5 }] },
  });
  expect(agent.requests.get("AddARPNeighbors")).toMatchObject({
    neighbors: { ARPNeighbors: [{ toIPAddress: { address: "10.0.0.9" }, device: "eth0", state: 0x80 }] },
  });
  expect(plugged).toEqual([]);
});

test("a guest without interfaces is told nothing", async () => {
  const sandbox = network();
  sandbox.started(vm);
  await sandbox.configure(agent);
  expect(agent.asked).toEqual([]);
});

test("an interface that appears while the guest boots is plugged in when its agent is there, not before", async () => {
  const sandbox = network();
  sandbox.started(vm);
  rtnetlink.addressList = addresses(3);
  await changed();
  expect(plugged).toEqual([]);
  await sandbox.configure(agent);
  expect(plugged).toEqual([`+net0 ${eth1.mac}`]);
  expect(agent.asked).toEqual(["UpdateInterface", "UpdateRoutes"]);
  expect([...open]).toEqual([]);
});

test("what changes later is told, and only that", async () => {
  rtnetlink.addressList = addresses(2, 3);
  const sandbox = network();
  sandbox.started(vm);
  await sandbox.configure(agent);
  agent.asked.length = 0;
  await changed();
  expect(agent.asked).toEqual([]);
  rtnetlink.setLink(3, { mtu: 1280 });
  await changed();
  expect(agent.asked).toEqual(["UpdateInterface", "UpdateRoutes"]);
  expect(agent.requests.get("UpdateInterface")).toMatchObject({ interface: { name: "eth1", mtu: 1280 } });
});

test("an interface that goes is unplugged; one that has lost its addresses stays; one with another MAC is another", async () => {
  rtnetlink.addressList = addresses(2, 3);
  const sandbox = network();
  sandbox.started(vm);
  await sandbox.configure(agent);
  rtnetlink.addressList = addresses(2);
  await changed();
  expect(plugged).toEqual([]);
  rtnetlink.linkList = rtnetlink.linkList.filter(({ name }) => name !== "eth1");
  await changed();
  expect(plugged).toEqual(["-net1"]);
  rtnetlink.setLink(2, { mac: "02:00:00:00:00:77" });
  await changed();
  expect(plugged).toEqual(["-net1", "-net0", "+net2 02:00:00:00:00:77"]);
});

test("a card that is told anew is told its routes and neighbours again", async () => {
  rtnetlink.addressList = addresses(2);
  const neighbour = { link: 2, family: 2 as const, address: "10.0.0.9", mac: "02:00:00:00:00:99" };
  rtnetlink.neighbourList = [{ ...neighbour, state: 0x80, flags: 0 }];
  const sandbox = network();
  sandbox.started(vm);
  await sandbox.configure(agent);
  agent.asked.length = 0;
  rtnetlink.setLink(2, { mac: "02:00:00:00:00:77" });
  await changed();
  expect(agent.asked).toEqual(["UpdateInterface", "UpdateRoutes", "AddARPNeighbors"]);
});

test("an interface that cannot be connected later is told once in the log, and the others go on", async () => {
  const sandbox = network();
  sandbox.started(vm);
  await sandbox.configure(agent);
  rtnetlink.linkList.push(fakeLink({ index: 7, name: "br0", kind: "bridge" }));
  rtnetlink.addressList = addresses(2, 7);
  await changed();
  await changed();
  expect(warnings).toEqual([expect.stringContaining("network interface br0 is of kind bridge")]);
  expect(plugged).toEqual([`+net0 ${eth0.mac}`]);
});

test("a card that the VMM refuses leaves the interface as it was", async () => {
  const sandbox = network();
  sandbox.started(vm);
  refusePlug = new KataError("Internal", "QMP: GenericError: no");
  rtnetlink.addressList = addresses(2);
  await expect(sandbox.configure(agent)).rejects.toThrow("network interface eth0: QMP: GenericError: no");
  expect(rtnetlink.ingress.has(2)).toBe(false);
  expect([...open]).toEqual([]);
});

test("a card that the VMM refuses keeps none of the others from the guest", async () => {
  const sandbox = network();
  sandbox.started(vm);
  await sandbox.configure(agent);
  refusePlug = new KataError("Internal", "QMP: GenericError: no");
  refusedMac = eth0.mac;
  rtnetlink.addressList = addresses(2, 3);
  await changed();
  expect(plugged).toEqual([expect.stringContaining(eth1.mac)]);
  expect(agent.requests.get("UpdateInterface")).toMatchObject({ interface: { name: "eth1" } });
  expect(warnings).toEqual(["network interface eth0: QMP: GenericError: no"]);
});

test("a route that the guest cannot be told of is left out, and the log says so", async () => {
  rtnetlink.addressList = addresses(2);
  const route = {
    family: 2 as const,
    destination: "10.9.0.0/16",
    gateway: undefined,
    link: 2,
    source: undefined,
  };
  rtnetlink.routeList = [
    { ...route, scope: 0, metric: 0, onLink: false, mtu: 0, protocol: 3, beyond: "multipath" },
  ];
  const sandbox = network();
  sandbox.started(vm);
  await sandbox.configure(agent);
  expect(agent.requests.get("UpdateRoutes")).toEqual({ routes: { Routes: [] } });
  expect(warnings).toEqual(["route 10.9.0.0/16 (multipath) is left out: the guest cannot be told of it"]);
});

test("in the end no link has an ingress qdisc of ours, and nothing is followed any more", async () => {
  rtnetlink.addressList = addresses(2, 3);
  const sandbox = network();
  sandbox.started(vm);
  await sandbox.configure(agent);
  sandbox.close();
  sandbox.close();
  expect([...rtnetlink.ingress.keys()].filter((link) => link < 50)).toEqual([]);
  await changed();
  expect(plugged).toEqual([]);
});

test("after a crash the sandbox's own links are released, and those that stand between qdisc and filter; no others", () => {
  rtnetlink.addressList = addresses(2);
  network();
  rtnetlink.ingress.set(3, []).set(4, [""]).set(5, ["", "0c0d"]);
  releaseAll(rtnetlink, "0a0b");
  expect([...rtnetlink.ingress.keys()].filter((link) => link < 50)).toEqual([4, 5]);
});
