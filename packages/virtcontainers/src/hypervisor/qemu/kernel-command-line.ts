import type { VmConfig } from "../hypervisor.ts";

export type CommandLineConfig = Pick<
  VmConfig,
  "accelerator" | "vcpus" | "maxVcpus" | "tscKhz" | "debug" | "kernelParams"
> & {
  /** Only ACPI tells the guest's kernel how the machine's interrupts are wired. */
  readonly acpiInterrupts: boolean;
};

/** Reasons and measurements: guest/README.md, "Kernel command line". */
const BASE_PARAMS = [
  // Quiet but for a panic, whose reason the error then names; costs no time that could be measured.
  "console=ttyS0",
  "panic=-1",
  "reboot=k",
  "cryptomgr.notests",
  "noreplace-smp",
  "tsc=reliable",
  "no_timer_check",
  "rcupdate.rcu_expedited=1",
  "swiotlb=noforce",
  // Our own kernel has the driver built in; a sandbox has the interfaces that it was given, and those that it makes.
  "dummy.numdummies=0",
];

/** The guest kernel's command line. Later parameters win over earlier ones of the same key, so the user's come last. */
export function kernelCommandLine(config: CommandLineConfig): string {
  const { tscKhz, vcpus, maxVcpus } = config;
  const emulated = config.accelerator === "tcg";
  return [
    ...(config.debug ? [] : ["quiet"]),
    ...BASE_PARAMS,
    ...(config.acpiInterrupts ? [] : ["acpi=noirq"]),
    // The APIC timer's calibration takes 0.1 s; the HPET ticks instead.
    ...(emulated && vcpus === 1 ? ["nolapic_timer"] : []),
    // The others come online when they are wanted: QEMU's are all there.
    ...(emulated && maxVcpus > vcpus ? [`maxcpus=${vcpus}`] : []),
    // On a busy host the kernel measures a clock wrong that software emulates: by 13 or 39 times, and its time runs so much faster.
    ...(emulated && tscKhz !== undefined ? [`tsc_early_khz=${tscKhz}`] : []),
    ...config.kernelParams,
  ].join(" ");
}
