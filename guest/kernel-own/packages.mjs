// What compiling a kernel needs, from apt, and only when it is missing.

import { execFileSync, spawnSync } from "node:child_process";

/** Debian's package names. */
const PACKAGES = ["gcc", "make", "binutils", "flex", "bison", "bc", "libelf-dev", "xz-utils", "perl"];

function installed(name) {
  const { stdout } = spawnSync("dpkg-query", ["-s", name], { encoding: "utf8" });
  return stdout.includes("\nStatus: install ok installed\n");
}

function apt(...args) {
  const [program, ...words] = process.getuid() === 0 ? ["apt-get"] : ["sudo", "apt-get"];
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  execFileSync(program, [...words, "-qq", ...args], { env, stdio: ["ignore", "ignore", "inherit"] });
}

export function updateLists() {
  apt("update");
}

export function installMissing() {
  const missing = PACKAGES.filter((name) => !installed(name));
  if (missing.length === 0) return;
  console.error(`guest-kernel: installing ${missing.join(" ")}`);
  updateLists();
  apt("install", "-y", "--no-install-recommends", ...missing);
}
