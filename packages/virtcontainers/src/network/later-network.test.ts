import { Fd, KataError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Nic } from "../hypervisor/hypervisor.ts";
import { LaterNetwork } from "./later-network.ts";
import type { SandboxNetwork } from "./sandbox-network.ts";

let events: string[];
let refused: string | undefined;

const nic = (id: string, link: string) => ({
  id,
  link,
  mac: "02:00:00:00:00:01",
  tap: new Fd(3),
  vhost: undefined,
});

const namespace: SandboxNetwork = {
  nics: [nic("net0", "eth0"), nic("net1", "eth1")],
  started: () => void events.push("started"),
  configure: async () => void events.push("configured"),
  close: () => void events.push("closed"),
};

const vm = {
  async plugNic({ id }: Nic) {
    if (id === refused) throw new KataError("ResourceExhausted", "no port is free");
    events.push(`+${id}`);
  },
  async unplugNic() {},
};

const agent = { request: () => Promise.reject(new Error("not asked here")) };

beforeEach(() => {
  events = [];
  refused = undefined;
});
afterEach(() => setOps(undefined));

test("it has no card until it gets a namespace, whose cards are plugged in then", async () => {
  const network = new LaterNetwork();
  expect(network.nics).toEqual([]);
  network.started(vm);
  await network.configure(agent);
  expect(events).toEqual([]);
  await network.become(() => namespace);
  await network.configure(agent);
  network.close();
  expect(events).toEqual(["+net0", "+net1", "started", "configured", "closed"]);
});

test("a card that cannot be plugged in is told by its interface, and the namespace given back", async () => {
  const network = new LaterNetwork();
  network.started(vm);
  refused = "net1";
  await expect(network.become(() => namespace)).rejects.toThrow(/^network interface eth1: no port is free$/);
  network.close();
  expect(events).toEqual(["+net0", "closed"]);
});

test("there is no card without a machine", async () => {
  await expect(new LaterNetwork().become(() => namespace)).rejects.toThrow("the VM does not run");
});
