import { KataError } from "@kata-containers/sys";
import { beforeEach, expect, test } from "vitest";
import { QemuGrowth } from "./growth.ts";
import type { TopologyChange } from "./topology.ts";

let commands: string[];
let refuse: string | undefined;
const place = (core: number, more: object = {}) => ({
  type: "max-x86_64-cpu",
  "vcpus-count": 1,
  props: { "socket-id": 0, "core-id": core, "thread-id": 0 },
  ...more,
});
const command = async (name: string, args: object) => {
  if (name === "query-hotpluggable-cpus") return [place(2), place(1), place(0, { "qom-path": "/machine/0" })];
  commands.push(`${name} ${JSON.stringify(args)}`);
  if (name === refuse) throw new KataError("Internal", `QMP: ${name}`);
  return {};
};

const KVM = { accelerator: "kvm", memory: "anonymous" } as const;
const change: TopologyChange = (run) => run();

beforeEach(() => {
  commands = [];
  refuse = undefined;
});

test("CPUs come into the first free places of the topology", async () => {
  await new QemuGrowth(command, change, KVM).addVcpus(2);
  const cpu = (core: number) =>
    `device_add {"driver":"max-x86_64-cpu","socket-id":0,"core-id":${core},"thread-id":0}`;
  expect(commands).toEqual([cpu(1), cpu(2)]);
});

test("emulated CPUs are there already", async () => {
  await new QemuGrowth(command, change, { ...KVM, accelerator: "tcg" }).addVcpus(2);
  expect(commands).toEqual([]);
});

test("more CPUs than there are places: none is added", async () => {
  await expect(new QemuGrowth(command, change, KVM).addVcpus(3)).rejects.toThrow(
    "QEMU has places for 2 more vCPUs, not for 3",
  );
  expect(commands).toEqual([]);
});

test("memory is shared with the share's server, and comes from where the rest does", async () => {
  const growth = new QemuGrowth(command, change, { ...KVM, memory: "hugetlb" });
  await growth.addMemory(128);
  await growth.addMemory(256);
  expect(commands).toEqual([
    'object-add {"qom-type":"memory-backend-memfd","id":"memory1","size":134217728,"share":true,"hugetlb":true,"prealloc":true}',
    'device_add {"driver":"pc-dimm","id":"memory1-module","memdev":"memory1"}',
    expect.stringContaining('"id":"memory2","size":268435456'),
    expect.stringContaining('"memdev":"memory2"'),
  ]);
});

test("memory that no slot takes is given back", async () => {
  refuse = "device_add";
  await expect(new QemuGrowth(command, change, KVM).addMemory(128)).rejects.toThrow("QMP: device_add");
  expect(commands.at(-1)).toBe('object-del {"id":"memory1"}');
});
