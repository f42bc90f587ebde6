// Copies of a template that is not the product's: the baseline of what the product's take.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withIdle } from "./containers.mjs";
import { compileStatic, machineOfDaemon, packInitrd } from "./machine.mjs";
import { must } from "./measure.mjs";
import { buildConfiguration, ownKernel, withOwnKernel } from "./own-kernel.mjs";

/**
 * Runs `use` on a function that makes one copy up to its share mounted, and says in how many seconds.
 * @template T @param {(copy: () => number) => T | Promise<T>} use @returns {Promise<T>}
 */
export async function withBareCopies(use) {
  // The machine as it boots: a copy's command line has no kernel.
  const machine = await withOwnKernel({}, (file) =>
    withIdle(({ daemonPid }) => machineOfDaemon(daemonPid), file),
  );
  // In memory, where the product's template is too.
  const folder = mkdtempSync("/dev/shm/kata-bench-bare-");
  const program = (/** @type {"make" | "copy"} */ action) =>
    must(process.execPath, ["bench/bare-template.mjs", action, folder]).stdout;
  try {
    writeFileSync(join(folder, "order.json"), JSON.stringify(order(folder, machine)));
    program("make");
    return await use(() => Number(program("copy")));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} folder @param {string[]} machine @returns {import("./bare-template.mjs").Order} */
function order(folder, machine) {
  compileStatic("bench/share.c", join(folder, "init"));
  const initrd = packInitrd(folder, ["init"]);
  const { virtio_fs_daemon, virtio_fs_cache, virtio_fs_queue_size } = buildConfiguration().hypervisor;
  const share = join(folder, "share");
  mkdirSync(share);
  // As packages/virtcontainers/src/share/virtio-fs.ts has them.
  const options = `source=${share},sandbox=chroot,cache=${virtio_fs_cache},announce_submounts,xattr,no_posix_lock,no_flock`;
  const virtiofsd = [virtio_fs_daemon, "-f", "-o", options];
  return { machine, kernel: ownKernel, initrd, virtiofsd, queueSize: virtio_fs_queue_size };
}
