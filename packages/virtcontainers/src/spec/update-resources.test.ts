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
  expect(checkUpdate(resources)).toEqual({ memory: resources.memory, cpu: { shares: 0 } });
  expect(droppedResources(resources)).toEqual([]);
});

test("a limit that names the host's hardware is refused by update, and warned of at create", () => {
  const resources = { memory: { kernel: 1 }, blockIO: { weight: 500 } };
  expect(() => checkUpdate(resources)).toThrow("cannot update memory.kernel: Linux has no limit");
  expect(droppedResources(resources)).toEqual([
    "linux.resources.memory.kernel is not applied: Linux has no limit of kernel memory any more (deprecated since 5.4)",
    "linux.resources.blockIO.weight is not applied: the VM has none of the host's block devices",
  ]);
});
