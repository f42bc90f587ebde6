import { parseConfig } from "@kata-containers/config";
import type { Spec } from "@kata-containers/oci";
import { expect, test } from "vitest";
import { firstWorkload, UNLIMITED, vmSize, type Workload, workloadOf } from "./vm-size.ts";

const HOST = { cpus: 8, memoryMiB: 16_000 };
const size = (workloads: readonly Partial<Workload>[], keys = "", warn?: (text: string) => void) =>
  vmSize(
    parseConfig(`[hypervisor.qemu]\n${keys}`, "/c.toml"),
    HOST,
    workloads.map((each) => ({ ...UNLIMITED, ...each })),
    warn,
  );
const MIB = 2 ** 20;

test.each([
  ["no limits", [{}], 1, 256],
  ["half a CPU", [{ quota: 50_000 }], 2, 256],
  ["two halves, in periods of their own", [{ quota: 50_000 }, { quota: 5_000, period: 10_000 }], 2, 256],
  ["1.5 and 0.6 CPUs", [{ quota: 150_000 }, { quota: 60_000 }], 4, 256],
  ["one CPU of the host's", [{ cpus: [3] }], 1, 256],
  ["cpusets that share a CPU", [{ cpus: [0, 1] }, { cpus: [1, 2] }], 3, 256],
  ["a quota goes before a cpuset", [{ cpus: [0, 1, 2] }, { quota: 100_000 }], 2, 256],
  ["memory, each byte begins a MiB", [{ memoryBytes: 100 * MIB }, { memoryBytes: 1 }], 1, 357],
])("%s", (_, workloads, vcpus, memoryMiB) => {
  expect(size(workloads)).toEqual({ vcpus, memoryMiB });
});

test("it begins with what the configuration gives every sandbox", () => {
  expect(size([{ quota: 100_000, memoryBytes: MIB }], "default_vcpus = 2\ndefault_memory = 512")).toEqual({
    vcpus: 3,
    memoryMiB: 513,
  });
});

test.each([
  ["default_vcpus = 2", 2],
  ["default_vcpus = 0", 1],
  ["default_vcpus = -1", 8],
  ["default_vcpus = 200", 8],
  ["default_vcpus = -1\ndefault_maxvcpus = 3", 3],
])("%s gives so many vCPUs on a host with 8: %i", (keys, vcpus) => {
  expect(size([], keys).vcpus).toBe(vcpus);
});

test("more CPUs than it may have: as many as it may have, and a warning", () => {
  const warnings: string[] = [];
  expect(size([{ quota: 1_000_000 }], "", (text) => warnings.push(text)).vcpus).toBe(8);
  expect(warnings).toEqual([expect.stringContaining("has 8 vCPUs, the most that it may have")]);
});

test.each([
  ["", /would have 16257 MiB \(default_memory 256, .* 16001\): more than 16000 MiB, the host's memory/],
  ["default_maxmemory = 1024", /more than 1024 MiB, default_maxmemory of/],
])("more memory than it may have is refused: %j", (keys, reason) => {
  expect(() => size([{ memoryBytes: 16_001 * MIB }], keys)).toThrow(reason);
});

test("a change keeps what it does not speak of; -1 takes a limit away", () => {
  const before = workloadOf({ cpu: { quota: 50_000, period: 20_000 }, memory: { limit: 5 } });
  expect(workloadOf({ cpu: { quota: 0 }, memory: { limit: 7 } }, before)).toEqual({
    ...before,
    memoryBytes: 7,
  });
  expect(workloadOf({ cpu: { quota: -1 }, memory: { limit: -1 } }, before)).toMatchObject({
    quota: 0,
    memoryBytes: 0,
  });
});

const CRI = "io.kubernetes.cri.";
const pod = (more: Record<string, string>): Spec => ({
  ociVersion: "1.0.2",
  annotations: { [`${CRI}container-type`]: "sandbox", ...more },
  linux: { resources: { memory: { limit: 3 } } },
});

test("of a pod containerd tells beforehand what its containers will ask for", () => {
  const told = { [`${CRI}sandbox-cpu-quota`]: "70000", [`${CRI}sandbox-memory`]: "4000" };
  expect(firstWorkload(pod(told))).toEqual({ ...UNLIMITED, quota: 70_000, memoryBytes: 4000 });
  expect(firstWorkload(pod({ [`${CRI}sandbox-cpu-quota`]: "-1" }))).toEqual({ ...UNLIMITED, memoryBytes: 3 });
  expect(() => firstWorkload(pod({ [`${CRI}sandbox-memory`]: "1Gi" }))).toThrow(
    'annotation io.kubernetes.cri.sandbox-memory: "1Gi" is no number',
  );
});
