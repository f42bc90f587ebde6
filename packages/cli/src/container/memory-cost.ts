import { childrenOf, itemGauges, procBytes, readProc } from "@kata-containers/sys";
import { isAlive, type SandboxRecord } from "@kata-containers/virtcontainers";

/**
 * What a sandbox costs the host in memory, in Prometheus's text format: the proportional set sizes of its processes by their names (proc(5),
 * smaps_rollup), in which a page that several processes map is divided among them. What cannot be read is left out.
 *
 * The guest's memory is QEMU's and virtiofsd's as far as they have touched it. Here and not in the daemon, which answers for its
 * containers meanwhile: the kernel goes through all that a process has mapped.
 */
export function memoryCost({
  resources,
  containers,
}: Pick<SandboxRecord, "resources" | "containers">): string {
  const items = new Map<string, number>();
  const add = (name: string, pid: number) => {
    const rollup = readProc(`/proc/${pid}/smaps_rollup`);
    if (rollup !== "") items.set(name, (items.get(name) ?? 0) + procBytes(rollup, "Pss"));
  };
  for (const resource of resources) {
    if (resource.kind !== "process" || !isAlive(resource.identity)) continue;
    const { pid } = resource.identity;
    add(resource.name, pid);
    // Some builds leave the work to a child.
    if (resource.name === "virtiofsd") for (const child of childrenOf(pid)) add(resource.name, child);
  }
  // Of containerd's sandboxes the daemon stands for the containers.
  for (const { pid } of containers) if (isKataShim(pid)) add("kata-shim", pid);
  return itemGauges("kata_sandbox_proportional_memory_bytes", items);
}

/** A record has no start time of theirs: a pid alone may be another process's by now. */
function isKataShim(pid: number): boolean {
  return pid > 0 && readProc(`/proc/${pid}/cmdline`).startsWith("kata-shim\0");
}
