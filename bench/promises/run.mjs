import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { kata, makeBundle, newId } from "../containers.mjs";
import { median, must, wallMs, withSpread } from "../measure.mjs";

const pairs = 9;

export const run = {
  name: "run",
  promise: "run of true ≤ 1.5 × bare boot",
  measure() {
    const folder = mkdtempSync(join(tmpdir(), "kata-bench-boot-"));
    const bundle = makeBundle(["true"]);
    /** Seconds. @param {string} command */
    const shell = (command) => wallMs("/bin/sh", ["-c", `exec ${command} < /dev/null > /dev/null`]) / 1000;
    const ours = () => shell(`${kata.join(" ")} run --bundle ${bundle} ${newId()}`);
    try {
      const bare = bareBoot(folder);
      ours();
      shell(bare);
      // In turn, so that the machine's drift falls on both.
      const samples = Array.from({ length: pairs }, () => ({ ours: ours(), bare: shell(bare) }));
      const ratio = median(samples.map((s) => s.ours / s.bare));
      return {
        figure: `${ratio.toFixed(2)} ×, ${withSpread(samples.map((s) => s.ours))} s`,
        baseline: `bare ${withSpread(samples.map((s) => s.bare))} s`,
        used: ratio / 1.5,
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
      rmSync(bundle, { recursive: true, force: true });
    }
  },
};

/**
 * The command that boots our kernel in QEMU with a bare static /init that powers off: the product's own machine and
 * kernel command line (packages/virtcontainers/src/hypervisor/qemu/arguments.ts), without its devices, agent and share.
 * @param {string} folder
 */
function bareBoot(folder) {
  const source = "#include <sys/reboot.h>\nint main(void) { return reboot(RB_POWER_OFF); }\n";
  writeFileSync(join(folder, "init.c"), source);
  must("cc", ["-static", "-Os", "-o", join(folder, "init"), join(folder, "init.c")]);
  must("/bin/sh", ["-c", `cd ${folder} && echo init | cpio -o -H newc --quiet > initrd`]);
  const qboot = "/usr/share/qemu/qboot.rom";
  return [
    "timeout 60 qemu-system-x86_64",
    "-machine pc,usb=off,vmport=off,smbus=off -accel tcg,tb-size=64 -cpu max,-erms,-fsrm -m 256M -smp 1",
    "-nodefaults -no-user-config -nographic -no-reboot -serial null",
    existsSync(qboot) ? `-bios ${qboot}` : "",
    `-kernel ${resolve("build/guest/vmlinux")} -initrd ${folder}/initrd`,
    '-append "quiet console=ttyS0 panic=1 reboot=k cryptomgr.notests noreplace-smp tsc=reliable no_timer_check acpi=noirq nolapic_timer"',
  ].join(" ");
}
