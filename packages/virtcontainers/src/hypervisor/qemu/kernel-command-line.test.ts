import { expect, test } from "vitest";
import { kernelCommandLine } from "./kernel-command-line.ts";

const emulated = {
  accelerator: "tcg",
  vcpus: 1,
  maxVcpus: 1,
  tscKhz: 2_596_100,
  debug: false,
  kernelParams: [],
  acpiInterrupts: false,
} as const;

test("an emulated guest is told the frequency of its clock, and measures nothing", () => {
  expect(kernelCommandLine(emulated).split(" ")).toContain("tsc_early_khz=2596100");
  expect(kernelCommandLine({ ...emulated, tscKhz: undefined })).not.toContain("tsc_early_khz");
  expect(kernelCommandLine({ ...emulated, accelerator: "kvm" })).not.toContain("tsc_early_khz");
});

test("the timer is not calibrated where software emulates one CPU, and only there", () => {
  expect(kernelCommandLine(emulated).split(" ")).toContain("nolapic_timer");
  expect(kernelCommandLine({ ...emulated, vcpus: 2 })).not.toContain("nolapic_timer");
  expect(kernelCommandLine({ ...emulated, accelerator: "kvm" })).not.toContain("nolapic_timer");
});

test("grace periods are expedited, unless the user says otherwise later on the line", () => {
  const line = kernelCommandLine({ ...emulated, kernelParams: ["rcupdate.rcu_expedited=0"] });
  expect(line).toMatch(/ rcupdate\.rcu_expedited=1 .*rcupdate\.rcu_expedited=0$/);
});

test("emulated CPUs that are there for later stay offline", () => {
  const later = { ...emulated, vcpus: 2, maxVcpus: 4 };
  expect(kernelCommandLine(later)).toContain(" maxcpus=2");
  expect(kernelCommandLine({ ...later, maxVcpus: 2 })).not.toContain("maxcpus");
  expect(kernelCommandLine({ ...later, accelerator: "kvm" })).not.toContain("maxcpus");
});

test("ACPI wires the interrupts where nothing else does", () => {
  expect(kernelCommandLine(emulated)).toContain(" acpi=noirq");
  expect(kernelCommandLine({ ...emulated, acpiInterrupts: true })).not.toContain("noirq");
});
