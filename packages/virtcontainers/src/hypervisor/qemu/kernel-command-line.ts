import type { VmConfig } from "../hypervisor.ts";

export type CommandLineConfig = Pick<VmConfig, "accelerator" | "vcpus" | "tscKhz" | "debug" | "kernelParams">;

/** Reasons and measurements: guest/README.md, "Kernel command line". */
const BASE_PARAMS = [
  // Quiet but for a panic, whose reason the error then names; costs no time that could be measured.
  "console=ttyS0",
  "panic=1",
  "reboot=k",
  "cryptomgr.notests",
  "noreplace-smp",
  "tsc=reliable",
  "no_timer_check",
  "acpi=noirq",
  "rcupdate.rcu_expedited=1",
  "swiotlb=noforce",
  // Our own kernel has the driver built in; a sandbox has the interfaces that it was given, and those that it makes.
  "dummy.numdummies=0",
];

/** The guest kernel's command line. Later parameters win over earlier ones of the same key, so the user's come last. */
export function kernelCommandLine(config: CommandLineConfig): string {
  const emulatedSingle = config.accelerator === "tcg" && config.vcpus === 1;
  const { tscKhz } = config;
  return [
    ...(config.debug ? [] : ["quiet"]),
    ...BASE_PARAMS,
    // The APIC timer's calibration takes 0.1 s; the HPET ticks instead.
    ...(emulatedSingle ? ["nolapic_timer"] : []),
    // On a busy host the kernel measures a clock wrong that software emulates: by 13 or 39 times, and its time runs so much faster.
    ...(config.accelerator === "tcg" && tscKhz !== undefined ? [`tsc_early_khz=${tscKhz}`] : []),
    ...config.kernelParams,
  ].join(" ");
}
