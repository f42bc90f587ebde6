import { expect, test } from "vitest";
import { checkUpdate, droppedResources } from "./update-resources.ts";

test("what docker and CRI send for what is not limited is neither refused nor warned of", () => {
  const resources = {
    memory: { limit: 1, kernel: 0 },
    cpu: { cpus: "", mems: "", shares: 0 },
    blockIO: { weight: 0, throttleReadBpsDevice: [] },
    hugepageLimits: [{ pageSize: "2MB", limit: 0 }],
    network: {},
    unified: {},
    rdma: {},
  };
  expect(checkUpdate(resources)).toEqual({ memory: resources.memory, cpu: resources.cpu });
  expect(droppedResources(resources)).toEqual([]);
});

test("a limit that names the host's hardware is refused by update, and warned of at create", () => {
  const resources = { cpu: { cpus: "0-1" }, memory: { kernel: 1 }, blockIO: { weight: 500 } };
  expect(() => checkUpdate(resources)).toThrow("cannot update cpu.cpus: the host's CPUs");
  expect(droppedResources(resources)).toEqual([
    "linux.resources.cpu.cpus is not applied: the host's CPUs and memory nodes are not the VM's",
    "linux.resources.memory.kernel is not applied: Linux has no limit of kernel memory any more (deprecated since 5.4)",
    "linux.resources.blockIO.weight is not applied: the VM has none of the host's block devices",
  ]);
});
