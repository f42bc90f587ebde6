import { itemGauges, procBytes, readProc } from "@kata-containers/sys";
import { isAlive, type Sandbox } from "@kata-containers/virtcontainers";

/**
 * What a sandbox costs the host in memory: the proportional set sizes of its processes (proc(5), smaps_rollup), in which a page that
 * several processes map is divided among them. The pages of the guest are the VMM's and virtiofsd's; those that copies of one template
 * share are divided among all copies. No page cache and no kernel memory. "" for a sandbox that cannot be looked at.
 */
export function memoryCost(sandbox: Pick<Sandbox, "machine" | "containers">): string {
  const items = new Map([["daemon", proportionalBytes("self")]]);
  const add = (item: string, pid: number) => items.set(item, (items.get(item) ?? 0) + proportionalBytes(pid));
  for (const { name, identity } of sandbox.machine?.processes ?? []) {
    if (isAlive(identity)) for (const pid of familyOf(identity.pid)) add(name === "qemu" ? "vmm" : name, pid);
  }
  for (const { processes } of sandbox.containers())
    for (const { hostPid, exit } of processes.values())
      if (hostPid !== 0 && exit === undefined) add("kata-shim", hostPid);
  return itemGauges("kata_sandbox_proportional_memory_bytes", items);
}

/** With its children: virtiofsd's first process only waits for the one that does the work. */
function familyOf(pid: number): number[] {
  const children = readProc(`/proc/${pid}/task/${pid}/children`).trim();
  return [pid, ...children.split(" ").filter(Boolean).map(Number)];
}

function proportionalBytes(pid: number | "self"): number {
  return procBytes(readProc(`/proc/${pid}/smaps_rollup`), "Pss");
}
