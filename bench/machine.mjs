// The virtual machine that the product makes, for baselines without the product.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { must } from "./measure.mjs";

/** The machine of a daemon's QEMU: words of its command line. @param {number} daemon @returns {string[]} */
export const machineOfDaemon = (daemon) => machineOf(qemuOf(daemon));

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

/** Whether a process descends from another one. @param {number} pid @param {number} ancestor @returns {boolean} */
export function isBelow(pid, ancestor) {
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

/**
 * The words of a command that boots a kernel on the machine that the product uses, with an /init of ours.
 * @param {string[]} machine @param {string} initrd @param {string} [kernel] @returns {string[]}
 */
export const bareQemu = (machine, initrd, kernel = resolve("build/guest/vmlinux")) => {
  const qboot = "/usr/share/qemu/qboot.rom";
  return [
    ...["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-nographic", "-no-reboot"],
    ...machine,
    ...(existsSync(qboot) ? ["-bios", qboot] : []),
    ...["-kernel", kernel, "-initrd", initrd],
  ];
};

/** A static program of C. @param {string} source @param {string} program */
export const compileStatic = (source, program) => {
  must("cc", ["-static", "-Os", "-Wall", "-Werror", "-o", program, source]);
};

/**
 * Packs files of a folder into an initrd.
 * @param {string} folder @param {string[]} files @returns {string} its path
 */
export const packInitrd = (folder, files) => {
  writeFileSync(join(folder, "files"), `${files.join("\n")}\n`);
  must("/bin/sh", ["-c", `cd ${folder} && cpio -o -H newc --quiet < files > initrd`]);
  return join(folder, "initrd");
};
