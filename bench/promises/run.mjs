import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
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

/** The command that boots our kernel in QEMU with a bare static /init that powers off. @param {string} folder */
function bareBoot(folder) {
  writeFileSync(
    join(folder, "init.c"),
    "#include <sys/reboot.h>\nint main(void) { return reboot(RB_POWER_OFF); }\n",
  );
  must("cc", ["-static", "-Os", "-o", join(folder, "init"), join(folder, "init.c")]);
  must("/bin/sh", ["-c", `cd ${folder} && echo init | cpio -o -H newc --quiet > initrd`]);
  const machine = "-machine pc,accel=tcg -m 256 -smp 1 -nodefaults -no-user-config -nographic -no-reboot";
  const boot = `-kernel ${resolve("build/guest/vmlinux")} -initrd ${folder}/initrd -append "quiet panic=1 reboot=k"`;
  return `timeout 60 qemu-system-x86_64 ${machine} ${boot}`;
}
