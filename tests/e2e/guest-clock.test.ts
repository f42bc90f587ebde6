import { expect, it } from "vitest";
import { testConfiguration } from "../harness/programs.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

it.skipIf(testConfiguration().hypervisor.accelerator === "kvm")(
  "an emulated guest's clock has the frequency that the host tells it, not one that was measured on a busy CPU",
  async () => {
    const id = await runtime.start();
    const line = await runtime.ok(["exec", id, "cat", "/proc/cmdline"]);
    const told = /\btsc_early_khz=(\d+)/.exec(line)?.[1];
    if (told === undefined) return expect(line).not.toContain("nolapic_timer"); // KVM
    const cpu = await runtime.ok(["exec", id, "cat", "/proc/cpuinfo"]);
    const kHz = Number(/^cpu MHz\s*: ([\d.]+)$/m.exec(cpu)?.[1]) * 1000;
    // The kernel refines what it was told, by a hundredth at most.
    expect(Math.abs(kHz - Number(told)) / Number(told)).toBeLessThan(0.011);
  },
);
