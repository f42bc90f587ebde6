import { expect, test } from "vitest";
import type { VmConfig } from "../hypervisor.ts";
import { type QemuDescriptors, qemuArguments } from "./arguments.ts";

const vm: VmConfig = {
  vcpus: 2,
  maxVcpus: 2,
  memoryMiB: 256,
  maxMemoryMiB: 256,
  memorySlots: 10,
  machineType: "pc",
  kernelParams: ["a=1", "quiet"],
  cpuFeatures: [],
  memory: "anonymous",
  memoryFile: undefined,
  entropySource: "/dev/urandom",
  shareDirectory: undefined,
  shareQueueSize: 1024,
  reclaimsMemory: false,
  accelerator: "tcg",
  tscKhz: undefined,
  debug: false,
};
const fds: QemuDescriptors = {
  qmp: 5,
  agent: { kind: "virtio-serial", fd: 6 },
  console: 8,
  nics: [],
  incoming: false,
};
const paths = { kernel: "/k", initrd: "/i" };
const argument = (args: readonly string[], name: string): string | undefined => args[args.indexOf(name) + 1];

test("the VMM may not spawn, gain privileges or reach the host's network", () => {
  const args = qemuArguments(vm, fds, paths);
  expect(argument(args, "-sandbox")).toBe(
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
  );
  expect(args).toContain("-nodefaults");
  expect(args.join(" ")).not.toMatch(/netdev|-nic|-net /);
  const withCard = qemuArguments(vm, { ...fds, nics: [card] }, paths);
  expect(withCard.join(" ")).not.toMatch(/-nic|-net |type=user|-netdev (?!tap,)/);
});

const card = { id: "net0", mac: "02:00:00:00:00:02", tap: 9, vhost: undefined };

test("a network card is the last device, on an inherited tap", () => {
  const args = qemuArguments(
    vm,
    { ...fds, nics: [card, { ...card, id: "net1", tap: 11, vhost: 12 }] },
    paths,
  );
  expect(args.slice(-8)).toEqual([
    ...["-netdev", "tap,id=net0,fd=9"],
    ...["-device", "virtio-net-pci,id=net0-card,netdev=net0,mac=02:00:00:00:00:02,romfile="],
    ...["-netdev", "tap,id=net1,fd=11,vhost=on,vhostfd=12"],
    ...["-device", "virtio-net-pci,id=net1-card,netdev=net1,mac=02:00:00:00:00:02,romfile="],
  ]);
});

test("q35 has ports for cards that are added later, pc needs none", () => {
  const ports = (machineType: string) =>
    qemuArguments({ ...vm, machineType }, fds, paths).filter((arg) => arg.startsWith("pcie-root-port"));
  expect(ports("q35")).toHaveLength(2);
  expect(ports("pc")).toEqual([]);
});

test("sockets are inherited descriptors, never paths", () => {
  const args = qemuArguments(vm, { ...fds, share: 7 }, paths).join(" ");
  for (const fd of ["id=qmp,fd=5", "id=agent,fd=6", "id=share,fd=7", "id=console,fd=8"]) {
    expect(args).toContain(`socket,${fd}`);
  }
  expect(args).not.toMatch(/path=|server/);
});

test("memory is shared with the share's server, once, at the configured size", () => {
  const args = qemuArguments(vm, { ...fds, share: 7 }, paths);
  expect(argument(args, "-object")).toBe("memory-backend-memfd,id=memory,size=256M,share=on");
  expect(argument(args, "-m")).toBe("256M");
  expect(argument(args, "-smp")).toBe("2");
});

test("the user's kernel parameters come last, for the last one wins", () => {
  const args = qemuArguments(vm, fds, paths);
  expect(argument(args, "-append")?.endsWith(" a=1 quiet")).toBe(true);
});

test("the kernel is quiet on its console, but with debug", () => {
  const words = (debug: boolean): string[] =>
    argument(qemuArguments({ ...vm, kernelParams: [], debug }, fds, paths), "-append")?.split(" ") ?? [];
  expect(words(false)).toContain("quiet");
  expect(words(true)).not.toContain("quiet");
  expect(words(false)).toContain("console=ttyS0");
});

test("a VM has a balloon when memory is to be reclaimed, and none otherwise", () => {
  const balloons = (reclaimsMemory: boolean) =>
    qemuArguments({ ...vm, reclaimsMemory }, fds, paths).filter((word) => word.includes("balloon"));
  expect(balloons(true)).toEqual(["virtio-balloon-pci,free-page-reporting=on"]);
  expect(balloons(false)).toEqual([]);
});

test("KVM guests get the host's CPU", () => {
  const args = qemuArguments({ ...vm, accelerator: "kvm" }, fds, paths);
  expect(argument(args, "-accel")).toBe("kvm");
  expect(argument(args, "-cpu")).toBe("host");
});

test("an emulated CPU is one whose string moves Linux does not use, for they are slow", () => {
  expect(argument(qemuArguments(vm, fds, paths), "-cpu")).toBe(
    "max,-erms,-fsrm,family=15,model=4,stepping=0",
  );
});

test("CPU features come after the model's", () => {
  const features = { ...vm, cpuFeatures: ["pmu=off", "-sse4a"] };
  expect(argument(qemuArguments({ ...features, accelerator: "kvm" }, fds, paths), "-cpu")).toBe(
    "host,pmu=off,-sse4a",
  );
  expect(argument(qemuArguments(features, fds, paths), "-cpu")).toMatch(/^max,.*,pmu=off,-sse4a$/);
});

test.each([
  ["prealloc", "share=on,prealloc=on"],
  ["hugetlb", "share=on,hugetlb=on,prealloc=on"],
] as const)("memory %s is taken at the start", (memory, expected) => {
  expect(argument(qemuArguments({ ...vm, memory }, fds, paths), "-object")).toMatch(
    new RegExp(`,${expected}$`),
  );
});

test("entropy comes from the configured device, whatever is in its name", () => {
  const args = qemuArguments({ ...vm, entropySource: "/dev/a,b" }, fds, paths);
  expect(args).toContain("rng-random,id=entropy,filename=/dev/a,,b");
});

test("the share's queue has the configured size", () => {
  const args = qemuArguments({ ...vm, shareQueueSize: 64 }, { ...fds, share: 7 }, paths);
  expect(args.join(" ")).toContain(",queue-size=64");
});

test("firmware replaces QEMU's", () => {
  expect(argument(qemuArguments(vm, fds, { ...paths, bios: "/b" }), "-bios")).toBe("/b");
  expect(qemuArguments(vm, fds, paths)).not.toContain("-bios");
});

test("the agent's channel is a port of a serial device, or a vsock whose device and context id are given", () => {
  expect(qemuArguments(vm, fds, paths)).toContain("socket,id=agent,fd=6");
  const args = qemuArguments(vm, { ...fds, agent: { kind: "vsock", fd: 6, cid: 4711 } }, paths);
  expect(args).toContain("vhost-vsock-pci,guest-cid=4711,vhostfd=6");
  expect(args.join(" ")).not.toContain("virtserialport");
});

test("q35 comes without its SATA controller", () => {
  expect(argument(qemuArguments({ ...vm, machineType: "q35" }, fds, paths), "-machine")).toMatch(
    /^q35,.*,sata=off$/,
  );
});

test("a share that QEMU serves itself tells the inodes of several file systems apart", () => {
  const args = qemuArguments({ ...vm, shareDirectory: "/share" }, fds, paths);
  expect(argument(args, "-fsdev")).toBe(
    "local,id=share,path=/share,security_model=passthrough,multidevs=remap",
  );
  expect(args).toContain("virtio-9p-pci,fsdev=share,mount_tag=kataShared");
  expect(args.join(" ")).not.toContain("vhost-user-fs");
});

test("a machine that may grow has places for more vCPUs, and slots for memory modules", () => {
  const size = (more: Partial<VmConfig>) => {
    const args = qemuArguments({ ...vm, accelerator: "kvm", ...more }, fds, paths);
    return [argument(args, "-smp"), argument(args, "-m")];
  };
  expect(size({})).toEqual(["2", "256M"]);
  expect(size({ maxVcpus: 8, maxMemoryMiB: 4096 })).toEqual(["2,maxcpus=8", "256M,slots=10,maxmem=4096M"]);
  // An emulated machine has all of them from the start.
  expect(size({ maxVcpus: 8, accelerator: "tcg" })).toEqual(["8", "256M"]);
  expect(size({ maxMemoryMiB: 4096, memorySlots: 0 })).toEqual(["2", "256M"]);
  // 1 TiB is more than an emulated CPU addresses.
  expect(size({ maxMemoryMiB: 1 << 20, accelerator: "tcg" })[1]).toBe("256M,slots=10,maxmem=524288M");
  expect(size({ maxMemoryMiB: 1 << 20 })[1]).toContain("maxmem=1048576M");
});

test("memory that is a file is shared with it, whatever is in its name", () => {
  const args = qemuArguments({ ...vm, memoryFile: "/memory/a,b" }, fds, paths);
  expect(argument(args, "-object")).toBe(
    "memory-backend-file,mem-path=/memory/a,,b,id=memory,size=256M,share=on",
  );
  expect(argument(args, "-machine")).toMatch(/,memory-backend=memory,/);
});

test("a machine that is saved, and each copy of it, has a number that tells it from the others", () => {
  const saved = { ...vm, memoryFile: "/memory/guest" };
  for (const incoming of [false, true])
    expect(qemuArguments(saved, { ...fds, incoming }, paths)).toContain("vmgenid,guid=auto");
  expect(qemuArguments(vm, fds, paths).join(" ")).not.toContain("vmgenid");
});

test("on q35 it has a port for the share that its copies get", () => {
  const ports = (more: Partial<VmConfig>) =>
    qemuArguments({ ...vm, machineType: "q35", ...more }, fds, paths).filter((arg) =>
      arg.startsWith("pcie-root-port"),
    );
  const cards = ["pcie-root-port,id=port0,chassis=1", "pcie-root-port,id=port1,chassis=2"];
  expect(ports({})).toEqual(cards);
  expect(ports({ memoryFile: "/m" })).toEqual([...cards, "pcie-root-port,id=port2,chassis=3"]);
  expect(ports({ memoryFile: "/m", machineType: "pc" })).toEqual([]);
});

test("a copy waits for the state that it goes on from, loads no kernel, and is else as the saved one", () => {
  const saved = { ...vm, machineType: "q35", memoryFile: "/m" };
  const made = qemuArguments(saved, fds, paths);
  expect(made.join(" ")).not.toMatch(/-incoming| -S/);
  const kernel = made.indexOf("-kernel");
  expect(made.slice(kernel, kernel + 6)).toContain("-append");
  expect(qemuArguments(saved, { ...fds, incoming: true }, paths)).toEqual([
    ...made.toSpliced(kernel, 6),
    "-incoming",
    "defer",
    "-S",
  ]);
});
