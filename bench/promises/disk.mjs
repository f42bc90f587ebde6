import { readdirSync, statSync } from "node:fs";

export const disk = {
  name: "disk",
  promise: "all programs ≤ 12 MB",
  measure() {
    // Hard links are one file: count each inode once.
    const inodes = new Map();
    for (const name of readdirSync("build/bin")) {
      const { ino, size } = statSync(`build/bin/${name}`);
      inodes.set(ino, size);
    }
    const megabytes = [...inodes.values()].reduce((sum, size) => sum + size, 0) / 2 ** 20;
    return { figure: `${megabytes.toFixed(2)} MB in ${inodes.size} files`, used: megabytes / 12 };
  },
};
