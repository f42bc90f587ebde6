// A boot of the machine that the product makes, without the product: how long QEMU and the guest's kernel take by themselves.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bareQemu, compileStatic, packInitrd } from "./machine.mjs";
import { shellSeconds } from "./measure.mjs";

/**
 * Runs `use` on a function that boots it once, and says in how many seconds.
 * @template T @param {string[]} machine see machineOfDaemon @param {(boot: () => number) => T | Promise<T>} use
 * @param {string} [kernel] if not the build's
 * @returns {Promise<T>}
 */
export async function withBareBoot(machine, use, kernel) {
  const folder = mkdtempSync(join(tmpdir(), "kata-bench-boot-"));
  try {
    const command = bareBoot(folder, machine, kernel);
    return await use(() => {
      const seconds = shellSeconds(command);
      checkBareBoot(folder);
      return seconds;
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the bare /init writes on its console. */
const HELLO = "bare init";

/**
 * The command that boots the kernel in QEMU with a bare static /init that says hello and powers off, on the machine that the product
 * uses. The console goes to a file, which QEMU makes anew.
 * @param {string} folder @param {string[]} machine @param {string} [kernel]
 */
function bareBoot(folder, machine, kernel) {
  const source = `#include <sys/reboot.h>
#include <unistd.h>
int main(void) { return write(1, "${HELLO}\\n", ${HELLO.length + 1}) < 0 || reboot(RB_POWER_OFF); }
`;
  writeFileSync(join(folder, "init.c"), source);
  compileStatic(join(folder, "init.c"), join(folder, "init"));
  const withConsole = [...machine, "-serial", `file:${folder}/console`];
  const words = bareQemu(withConsole, packInitrd(folder, ["init"]), kernel);
  return ["timeout", "60", ...words].map((word) => `'${word}'`).join(" ");
}

/** A kernel that panics ends QEMU too, and with the same status: later than a boot, which would flatter us. @param {string} folder */
function checkBareBoot(folder) {
  const console = readFileSync(join(folder, "console"), "latin1");
  if (!console.includes(HELLO))
    throw new Error(`the bare /init did not run; its console's end: ${console.trim().split("\n").at(-1)}`);
}
