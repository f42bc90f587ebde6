import { parseConfig } from "@kata-containers/config";
import { expect, test } from "vitest";
import { vmConfig } from "./vm-config.ts";

const of = (toml: string, hostCpus = 4) =>
  vmConfig(parseConfig(toml, "/c.toml"), "tcg", hostCpus, [], undefined);
const hypervisor = (keys: string) => of(`[hypervisor.qemu]\n${keys}`);

test.each([
  ["default_vcpus = 2", 2],
  ["default_vcpus = 0", 1],
  ["default_vcpus = -1", 4],
  ["default_vcpus = 200", 4],
  ["default_vcpus = -1\ndefault_maxvcpus = 3", 3],
])("%s gives so many vCPUs on a host with 4: %i", (keys, vcpus) => {
  expect(hypervisor(keys).vcpus).toBe(vcpus);
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

test("entropy and the share's queue are the configuration's", () => {
  const { entropySource, shareQueueSize } = hypervisor(
    'entropy_source = "/dev/hwrng"\nvirtio_fs_queue_size = 64',
  );
  expect({ entropySource, shareQueueSize }).toEqual({ entropySource: "/dev/hwrng", shareQueueSize: 64 });
});
