import type { Spec } from "@kata-containers/oci";
import type { NamespacePlan } from "./namespaces.ts";
import type { Step } from "./plan.ts";
import { invalid } from "./refuse.ts";

/** Those of the ipc namespace: ipc_namespaces(7). */
const IPC: ReadonlySet<string> = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/**
 * Only what belongs to a namespace of the container may be set. Written through the /proc of the machine, before the root is
 * changed: what the container has at /proc/sys may be anything.
 */
export function sysctlSteps(spec: Spec, namespaces: NamespacePlan): Step[] {
  return Object.entries(spec.linux?.sysctl ?? {}).map(([key, text]) => {
    const where = `linux.sysctl.${key}`;
    const dotted = key.replaceAll("/", ".");
    const owner = ownerOf(dotted);
    if (owner === undefined || !namespaces.has(owner)) {
      invalid(where, `sysctl ${JSON.stringify(key)} is not in a separate kernel namespace`);
    }
    // A dot of an interface's name is written as a slash: sysctl(8).
    const path = key.includes("/") && !key.includes(".") ? key : swap(key);
    // "net.//.kernel.core_pattern" would be net/../kernel/core_pattern.
    if (!path.split("/").every(isPart)) invalid(where, "is not the name of a sysctl");
    return { op: "write", path: `/proc/sys/${path}`, text, proc: true };
  });
}

function isPart(part: string): boolean {
  return part !== "" && part !== "." && part !== ".." && !part.includes("\0");
}

function ownerOf(key: string): "ipc" | "network" | "uts" | undefined {
  if (IPC.has(key) || key.startsWith("fs.mqueue.")) return "ipc";
  if (key.startsWith("net.")) return "network";
  return key === "kernel.domainname" ? "uts" : undefined;
}

function swap(key: string): string {
  return [...key].map((char) => (char === "." ? "/" : char === "/" ? "." : char)).join("");
}
