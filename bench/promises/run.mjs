import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { transform } from "esbuild";
import { kata, makeBundle, newId } from "../containers.mjs";
import { compare, must, wallMs } from "../measure.mjs";

export const run = {
  name: "run",
  promise: "run of true ≤ 1.5 × bare boot",
  async measure() {
    const commandLine = await productCommandLine();
    const folder = mkdtempSync(join(tmpdir(), "kata-bench-boot-"));
    const bundle = makeBundle(["true"]);
    /** Seconds. @param {string} command */
    const shell = (command) => wallMs("/bin/sh", ["-c", `exec ${command} < /dev/null > /dev/null`]) / 1000;
    const ours = () => shell(`${kata.join(" ")} run --bundle ${bundle} ${newId()}`);
    try {
      const bare = bareBoot(folder, commandLine);
      return compare(ours, () => shell(bare), {
        ...{ limit: 1.5, pairs: 9 },
        ...{ name: "bare", unit: "s", digits: 2 },
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
      rmSync(bundle, { recursive: true, force: true });
    }
  },
};

/**
 * The command that boots our kernel in QEMU with a bare static /init that powers off: the product's own machine and
 * kernel command line, without its devices, agent and share.
 * @param {string} folder @param {string} commandLine
 */
function bareBoot(folder, commandLine) {
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
    `-append "${commandLine}"`,
  ].join(" ");
}

/** What the product gives the kernel: asked of its own code, so that both boots always have the same. */
async function productCommandLine() {
  const source = readFileSync("packages/virtcontainers/src/hypervisor/qemu/kernel-command-line.ts", "utf8");
  const { code } = await transform(source, { loader: "ts" });
  const { kernelCommandLine } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  return kernelCommandLine({ accelerator: "tcg", vcpus: 1, debug: false, kernelParams: [] });
}
