import { parseConfig } from "@kata-containers/config";
import { expect, test } from "vitest";
import { vmConfig } from "./vm-config.ts";

const LIMITS = { vcpus: 4, memoryMiB: 8000, memoryBy: "the host's memory" };
const of = (toml: string, size = { vcpus: 1, memoryMiB: 256 }) =>
  vmConfig(parseConfig(toml, "/c.toml"), "tcg", size, LIMITS, [], undefined);
const hypervisor = (keys: string) => of(`[hypervisor.qemu]\n${keys}`);

test("it boots with its size, and can grow to what it may have", () => {
  const { vcpus, maxVcpus, memoryMiB, maxMemoryMiB, memorySlots } = of("", { vcpus: 2, memoryMiB: 300 });
  expect([vcpus, maxVcpus, memoryMiB, maxMemoryMiB, memorySlots]).toEqual([2, 4, 300, 8000, 10]);
  // A default_memory of more than the host has is the administrator's own.
  expect(of("", { vcpus: 1, memoryMiB: 9000 }).maxMemoryMiB).toBe(9000);
});

test("words are split at their separator, blanks and empty ones left out", () => {
  expect(hypervisor('kernel_params = " a=1  b "').kernelParams).toEqual(["a=1", "b"]);
  expect(hypervisor('cpu_features = "pmu=off, -sse4a,"').cpuFeatures).toEqual(["pmu=off", "-sse4a"]);
});

test("huge pages go before preallocation, which they include", () => {
  expect(hypervisor("").memory).toBe("anonymous");
  expect(hypervisor("enable_mem_prealloc = true").memory).toBe("prealloc");
  expect(hypervisor("enable_hugepages = true\nenable_mem_prealloc = true").memory).toBe("hugetlb");
});

test("the agent's options stand before the user's parameters, which win", () => {
  const { kernelParams } = of(
    '[agent.kata]\nenable_debug = true\ncontainer_pipe_size = 4096\n[hypervisor.qemu]\nkernel_params = "agent.log=info"',
  );
  expect(kernelParams).toEqual(["agent.log=debug", "agent.container_pipe_size=4096", "agent.log=info"]);
});

test("a guest that shall tell what it does not use loads the driver for that", () => {
  const { reclaimsMemory, kernelParams } = hypervisor("reclaim_guest_freed_memory = true");
  expect(reclaimsMemory).toBe(true);
  expect(kernelParams).toEqual(["agent.load_modules=virtio_balloon"]);
  expect(hypervisor("")).toMatchObject({ reclaimsMemory: false, kernelParams: [] });
});

test("entropy and the share's queue are the configuration's", () => {
  const { entropySource, shareQueueSize } = hypervisor(
    'entropy_source = "/dev/hwrng"\nvirtio_fs_queue_size = 64',
  );
  expect({ entropySource, shareQueueSize }).toEqual({ entropySource: "/dev/hwrng", shareQueueSize: 64 });
});
