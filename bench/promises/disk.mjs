import { readdirSync, statSync } from "node:fs";

const MIB = 2 ** 20;

export const disk = {
  name: "disk",
  promise: "on the host ≤ 12 MB, kata-launch ≤ 1 MB",
  measure() {
    // Hard links are one file: count each inode once.
    const inodes = new Map();
    for (const name of readdirSync("build/bin")) {
      const { ino, size } = statSync(`build/bin/${name}`);
      inodes.set(ino, size);
    }
    const host = [...inodes.values()].reduce((sum, size) => sum + size, 0) / MIB;
    // Copied into sealed memory before a container may run it.
    const launch = statSync("build/bin/kata-launch").size / MIB;
    const guest = statSync("build/guest/kata-agent").size / MIB + launch;
    const figure = `${host.toFixed(2)} MB, kata-launch ${launch.toFixed(2)} MB`;
    const details = `in the guest's image: kata-agent and kata-launch, ${guest.toFixed(2)} MB`;
    return { figure, used: Math.max(host / 12, launch), details };
  },
};
