import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { kata, kataRuntime, makeBundle, newId, withIdle } from "../containers.mjs";
import { compare, must, wallMs } from "../measure.mjs";

export const run = {
  name: "run",
  promise: "run of true ≤ 1.5 × bare boot",
  measure() {
    const machine = withIdle(({ daemonPid }) => machineOf(qemuOf(daemonPid)));
    const folder = mkdtempSync(join(tmpdir(), "kata-bench-boot-"));
    const bundle = makeBundle(["true"]);
    /** Seconds. @param {string} command */
    const shell = (command) => wallMs("/bin/sh", ["-c", `exec ${command} < /dev/null > /dev/null`]) / 1000;
    const ours = () => shell(`${kata.join(" ")} run --bundle ${bundle} ${newId()}`);
    try {
      const bare = bareBoot(folder, machine);
      const theirs = () => {
        const seconds = shell(bare);
        checkBareBoot(folder);
        return seconds;
      };
      const compared = compare(ours, theirs, {
        ...{ limit: 1.5, pairs: 9 },
        ...{ name: "bare", unit: "s", digits: 2 },
      });
      const { stderr } = kataRuntime("run", "--timing", "--bundle", bundle, newId());
      return { ...compared, details: stderr };
    } finally {
      rmSync(folder, { recursive: true, force: true });
      rmSync(bundle, { recursive: true, force: true });
    }
  },
};

/** The QEMU that a daemon has begun, as a command line. @param {number} daemon @returns {string[]} */
function qemuOf(daemon) {
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0");
      if (words[0]?.includes("qemu-system-") && isBelow(Number(entry), daemon)) return words;
    } catch {
      // it ended meanwhile
    }
  }
  throw new Error(`daemon ${daemon} has no QEMU`);
}

/** @param {number} pid @param {number} ancestor @returns {boolean} */
function isBelow(pid, ancestor) {
  const parent = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  return parent === ancestor || (parent > 1 && isBelow(parent, ancestor));
}

/** Of the product's QEMU, its machine and its kernel's command line; not its memory's backend, devices and confinement, which are its own. */
const MACHINE = ["-machine", "-accel", "-cpu", "-global", "-rtc", "-smp", "-m", "-append"];

/** @param {string[]} words @returns {string[]} */
function machineOf(words) {
  return words.flatMap((word, index) =>
    MACHINE.includes(word) ? [word, (words[index + 1] ?? "").replace(",memory-backend=memory", "")] : [],
  );
}

/** What the bare /init writes on its console. */
const HELLO = "bare init";

/**
 * The command that boots our kernel in QEMU with a bare static /init that says hello and powers off, on the machine that the product
 * uses. The console goes to a file, which QEMU makes anew.
 * @param {string} folder @param {string[]} machine
 */
function bareBoot(folder, machine) {
  const source = `#include <sys/reboot.h>
#include <unistd.h>
int main(void) { return write(1, "${HELLO}\\n", ${HELLO.length + 1}) < 0 || reboot(RB_POWER_OFF); }
`;
  writeFileSync(join(folder, "init.c"), source);
  must("cc", ["-static", "-Os", "-o", join(folder, "init"), join(folder, "init.c")]);
  must("/bin/sh", ["-c", `cd ${folder} && echo init | cpio -o -H newc --quiet > initrd`]);
  const qboot = "/usr/share/qemu/qboot.rom";
  return [
    "timeout 60 qemu-system-x86_64 -nodefaults -no-user-config -nographic -no-reboot",
    `-serial file:${folder}/console`,
    machine.map((word) => `'${word}'`).join(" "),
    existsSync(qboot) ? `-bios ${qboot}` : "",
    `-kernel ${resolve("build/guest/vmlinux")} -initrd ${folder}/initrd`,
  ].join(" ");
}

/** A kernel that panics ends QEMU too, and with the same status: later than a boot, which would flatter us. @param {string} folder */
function checkBareBoot(folder) {
  const console = readFileSync(join(folder, "console"), "latin1");
  if (!console.includes(HELLO))
    throw new Error(`the bare /init did not run; its console's end: ${console.trim().split("\n").at(-1)}`);
}
