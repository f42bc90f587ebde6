import type { Process } from "@kata-containers/oci";
import type { HostFacts } from "./host-facts.ts";
import type { Step } from "./plan.ts";
import { invalid } from "./refuse.ts";

/**
 * What the process is to be for the kernel's security modules from its next exec on: told by files of the machine's /proc.
 *
 * @throws KataError InvalidArgument when the kernel has no such module
 */
export function labelSteps({ apparmorProfile, selinuxLabel }: Process, facts: HostFacts): Step[] {
  const steps: Step[] = [];
  if (apparmorProfile) {
    if (!facts.apparmor) invalid("process.apparmorProfile", "AppArmor is not enabled on this kernel");
    const text = `exec ${apparmorProfile}`;
    // The second is the only one on kernels without stacked modules.
    const or = { path: "/proc/self/attr/exec", text };
    steps.push({ op: "write", path: "/proc/self/attr/apparmor/exec", text, proc: true, or });
  }
  if (selinuxLabel) {
    if (!facts.selinux) invalid("process.selinuxLabel", "SELinux is not enabled on this kernel");
    steps.push({ op: "write", path: "/proc/self/attr/exec", text: selinuxLabel, proc: true });
  }
  return steps;
}

/** File systems whose files have labels of their own kind, or take none (as runc). */
const UNLABELLED: ReadonlySet<string> = new Set(["proc", "sysfs", "mqueue"]);

/** A new file system's data with the label of its files: mount(8), "SELinux-specific mount options". */
export function labelledData(fstype: string, data: string, label: string | undefined): string {
  if (label === undefined || UNLABELLED.has(fstype)) return data;
  return [...(data === "" ? [] : [data]), `context="${label}"`].join(",");
}
