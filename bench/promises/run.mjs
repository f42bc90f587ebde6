import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kata, kataRuntime, makeBundle, newId, withIdle } from "../containers.mjs";
import { bareQemu, compileStatic, machineOfDaemon, packInitrd } from "../machine.mjs";
import { compare, wallMs } from "../measure.mjs";

export const run = {
  name: "run",
  promise: "run of true ≤ 1.5 × bare boot",
  measure() {
    const machine = withIdle(({ daemonPid }) => machineOfDaemon(daemonPid));
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
  compileStatic(join(folder, "init.c"), join(folder, "init"));
  const words = bareQemu([...machine, "-serial", `file:${folder}/console`], packInitrd(folder, ["init"]));
  return ["timeout", "60", ...words].map((word) => `'${word}'`).join(" ");
}

/** A kernel that panics ends QEMU too, and with the same status: later than a boot, which would flatter us. @param {string} folder */
function checkBareBoot(folder) {
  const console = readFileSync(join(folder, "console"), "latin1");
  if (!console.includes(HELLO))
    throw new Error(`the bare /init did not run; its console's end: ${console.trim().split("\n").at(-1)}`);
}
