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
    const bytes = proportionalBytes(pid);
    if (bytes > 0) items.set(name, (items.get(name) ?? 0) + bytes);
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

/**
 * The same of a virtual machine that waits in the cache: of its daemon, which is the VMM's parent, and of all that this has started, together.
 * @returns bytes; 0 when it has gone
 */
export function idleMemoryCost(vmm: number): number {
  // proc_pid_status(5). One whose daemon has gone is about to end, and is the host's first process's meanwhile.
  const daemon = Number(/^PPid:\t(\d+)$/m.exec(readProc(`/proc/${vmm}/status`))?.[1] ?? 0);
  return daemon <= 1 ? 0 : treeBytes(daemon);
}

function treeBytes(pid: number): number {
  return childrenOf(pid).reduce((bytes, child) => bytes + treeBytes(child), proportionalBytes(pid));
}

function proportionalBytes(pid: number): number {
  return procBytes(readProc(`/proc/${pid}/smaps_rollup`), "Pss");
}

/** A record has no start time of theirs: a pid alone may be another process's by now. */
function isKataShim(pid: number): boolean {
  return pid > 0 && readProc(`/proc/${pid}/cmdline`).startsWith("kata-shim\0");
}
