import type { Resources } from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";

/**
 * What of `update` goes to the guest: memory, CPU time, the number of processes, and files of cgroup v2 by their names. Cpusets are the
 * host's to set.
 * @throws KataError Unimplemented for a limit that a container in a VM cannot have, before anything is changed
 */
export function checkUpdate(resources: Resources): Resources {
  for (const [key, why] of refusals(resources))
    throw new KataError("Unimplemented", `cannot update ${key}: ${why}`);
  const { memory, cpu, pids, unified } = resources;
  // The host's CPUs: see HostCpuset.
  const { cpus: _cpus, mems: _mems, ...time } = cpu ?? {};
  return {
    ...(memory === undefined ? {} : { memory }),
    ...(cpu === undefined ? {} : { cpu: time }),
    ...(pids === undefined ? {} : { pids }),
    ...(isEmpty(unified) ? {} : { unified }),
  };
}

function isEmpty(map: object | undefined): boolean {
  return map === undefined || Object.keys(map).length === 0;
}

const DROPPED = [
  "memory.kernel",
  "memory.swappiness",
  "blockIO.weight",
  "blockIO",
  "hugepageLimits",
  "network",
  "rdma",
];

/** What `guestSpec` leaves out of a new container's limits: one warning each. */
export function droppedResources(resources: Resources): string[] {
  return refusals(resources)
    .filter(([key]) => DROPPED.includes(key))
    .map(([key, why]) => `linux.resources.${key} is not applied: ${why}`);
}

const NO_KERNEL_LIMIT = "Linux has no limit of kernel memory any more (deprecated since 5.4)";
const NO_BLOCK_DEVICES = "the VM has none of the host's block devices";

/** 0 and "" mean "as it is", as docker sends them for everything that is not changed. */
function refusals({ memory, blockIO, hugepageLimits, network, rdma }: Resources): [string, string][] {
  const { weight, leafWeight, ...devices } = blockIO ?? {};
  const rows: [string, unknown, string][] = [
    ["memory.kernel", memory?.kernel, NO_KERNEL_LIMIT],
    ["memory.swappiness", memory?.swappiness === 0, "the agent's protocol takes 0 for none"],
    ["blockIO.weight", weight || leafWeight, NO_BLOCK_DEVICES],
    ["blockIO", Object.values(devices).some((list) => list.length > 0), NO_BLOCK_DEVICES],
    [
      "hugepageLimits",
      hugepageLimits?.some(({ limit }) => limit > 0),
      "the VM has no huge pages of the host",
    ],
    ["network", network?.classID || network?.priorities?.length, "the guest's kernel has no network classes"],
    ["rdma", !isEmpty(rdma), "the VM has no RDMA devices"],
  ];
  return rows.filter(([, value]) => Boolean(value)).map(([key, , why]) => [key, why]);
}
