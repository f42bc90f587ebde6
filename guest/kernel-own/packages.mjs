// What compiling a kernel needs, from apt, and only when it is missing.

import { execFileSync, spawnSync } from "node:child_process";

/** Debian's package names. */
const PACKAGES = ["gcc", "make", "binutils", "flex", "bison", "bc", "libelf-dev", "xz-utils", "perl"];

function installed(name) {
  const { stdout, error } = spawnSync("dpkg-query", ["-s", name], { encoding: "utf8" });
  if (error !== undefined)
    throw new Error(
      `dpkg-query: ${error.code}: this needs Debian 12, whose kernel source and packages it takes`,
    );
  return stdout.includes("\nStatus: install ok installed\n");
}

function apt(...args) {
  const [program, ...words] = process.getuid() === 0 ? ["apt-get"] : ["sudo", "apt-get"];
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  execFileSync(program, [...words, "-qq", ...args], { env, stdio: ["ignore", "ignore", "inherit"] });
}

/** @throws Error that says what to run, when apt-get cannot be run as root */
function requireRoot(command) {
  if (process.getuid() === 0 || spawnSync("sudo", ["-V"]).error === undefined) return;
  throw new Error(`sudo not found: run as root: apt-get ${command}`);
}

export function updateLists() {
  requireRoot("update");
  apt("update");
}

export function installMissing() {
  const missing = PACKAGES.filter((name) => !installed(name));
  if (missing.length === 0) return;
  requireRoot(`install ${missing.join(" ")}`);
  console.error(`guest-kernel: installing ${missing.join(" ")}`);
  updateLists();
  apt("install", "-y", "--no-install-recommends", ...missing);
}
