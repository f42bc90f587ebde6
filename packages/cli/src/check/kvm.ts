import type { KataConfig } from "@kata-containers/config";
import { exists, KataError, ops, readText } from "@kata-containers/sys";
import { chooseAccelerator } from "@kata-containers/virtcontainers";
import { type Finding, failure, ok, warning } from "./finding.ts";

/** Whether KVM runs a guest here: one is run, of a few instructions. */
export function checkKvm({ hypervisor }: KataConfig): Finding[] {
  const advice = `${remedy()}, or set accelerator = "tcg" to be content with software emulation`;
  try {
    const { accelerator, warning: why } = chooseAccelerator(hypervisor.accelerator, ops);
    if (why !== undefined) return [warning("kvm", why, advice)];
    return [ok("kvm", accelerator === "kvm" ? "runs a guest" : 'not used: accelerator = "tcg"')];
  } catch (error) {
    return [failure("kvm", KataError.from(error).message, remedy())];
  }
}

function remedy(): string {
  const cpu = readText("/proc/cpuinfo");
  const inVm = /^flags\s*:.*\bhypervisor\b/m.test(cpu);
  if (!/^flags\s*:.*\b(vmx|svm)\b/m.test(cpu))
    return inVm
      ? "the host is a virtual machine: turn on nested virtualization in its hypervisor"
      : "turn on virtualization (VT-x, AMD-V) in the firmware";
  if (!exists("/dev/kvm")) return "modprobe kvm_intel or kvm_amd";
  return inVm
    ? "the host is a virtual machine whose hypervisor does not nest completely: use another one, or real hardware"
    : "see dmesg for KVM's reason";
}
