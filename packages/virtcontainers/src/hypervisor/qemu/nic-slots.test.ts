import { Fd, KataError } from "@kata-containers/sys";
import { beforeEach, expect, test } from "vitest";
import { QemuNicSlots } from "./nic-slots.ts";
import type { TopologyChange } from "./topology.ts";

let commands: string[];
let refuse: string | undefined;
const command = async (name: string, args: object, fds: readonly number[] = []) => {
  if (name === refuse) throw new KataError("Internal", `QMP: ${name}`);
  commands.push(`${name} ${JSON.stringify(args)}${fds.length === 0 ? "" : ` fds ${fds}`}`);
};
const nic = (id: string, vhost?: number) => ({
  id,
  mac: "02:00:00:00:00:02",
  tap: new Fd(33),
  vhost: vhost === undefined ? undefined : new Fd(vhost),
});

const change: TopologyChange = (run) => run();

beforeEach(() => {
  commands = [];
  refuse = undefined;
});

test("a card is plugged in by descriptor: the tap, then the card on it", async () => {
  await new QemuNicSlots(command, change, []).plugNic(nic("net0"));
  expect(commands).toEqual([
    'getfd {"fdname":"net0"} fds 33',
    'netdev_add {"type":"tap","id":"net0","fd":"net0"}',
    'device_add {"driver":"virtio-net-pci","id":"net0-card","netdev":"net0","mac":"02:00:00:00:00:02","romfile":""}',
  ]);
});

test("with vhost QEMU gets its descriptor too", async () => {
  await new QemuNicSlots(command, change, []).plugNic(nic("net0", 34));
  expect(commands[1]).toBe('getfd {"fdname":"net0-vhost"} fds 34');
  expect(commands[2]).toContain('"vhost":true,"vhostfd":"net0-vhost"');
});

test("a card goes out with its tap first", async () => {
  await new QemuNicSlots(command, change, []).unplugNic("net0");
  expect(commands).toEqual(['netdev_del {"id":"net0"}', 'device_del {"id":"net0-card"}']);
});

test("ports take a card each, and are free again when QEMU says that the card is gone", async () => {
  const slots = new QemuNicSlots(command, change, ["port0", "port1"]);
  await slots.plugNic(nic("net0"));
  await slots.plugNic(nic("net1"));
  const busOf = (line: string | undefined) => /"bus":"(\w+)"/.exec(line ?? "")?.[1];
  expect(commands.map(busOf).filter(Boolean)).toEqual(["port0", "port1"]);
  await slots.unplugNic("net0");
  await expect(slots.plugNic(nic("net2"))).rejects.toThrow(/2 ports for network cards .* all in use/);
  slots.deviceDeleted("net0-card");
  await slots.plugNic(nic("net2"));
  expect(busOf(commands.at(-1))).toBe("port0");
});

test("a card that QEMU refuses leaves no tap and no descriptor, and its port free", async () => {
  const slots = new QemuNicSlots(command, change, ["port0"]);
  refuse = "device_add";
  await expect(slots.plugNic(nic("net0"))).rejects.toThrow("QMP: device_add");
  expect(commands.slice(-3)).toEqual([
    'netdev_del {"id":"net0"}',
    'closefd {"fdname":"net0"}',
    'closefd {"fdname":"net0-vhost"}',
  ]);
  refuse = undefined;
  await slots.plugNic(nic("net1"));
});
