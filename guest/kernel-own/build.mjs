// Builds our own guest kernel: build/guest/vmlinux-own, a stripped ELF that QEMU enters through its PVH note.
//
//   node guest/kernel-own/build.mjs
//
// The result is cached in build/cache/guest-kernel/<hash>, by the source's version, the fragment, these scripts and the
// compiler. The tree beside it is kept, so that a change of the fragment compiles only what it touches.
// Environment: JOBS: how many compilers at once (default: all CPUs, at the lowest priority).

import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { hasPvhNote } from "../kernel.mjs";
import { slimVmlinux } from "../slim-vmlinux.mjs";
import { unmetSettings } from "./config.mjs";
import { installMissing, updateLists } from "./packages.mjs";
import { resolveSource, unpackSource } from "./source.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const build = join(here, "../../build");
const cache = join(build, "cache/guest-kernel");
const product = join(build, "guest/vmlinux-own");
const log = join(cache, "build.log");
const fragmentPath = join(here, "kernel.config");

const LOG_TAIL = 15;

const say = (text) => console.error(`guest-kernel: ${text}`);

const output = (program, args) => execFileSync(program, args, { encoding: "utf8" }).trim();

/** Names a result by all that goes into it. */
function resultName(source) {
  const hash = createHash("sha256");
  for (const part of [source, output("gcc", ["-dumpfullversion"])]) hash.update(`${part}\0`);
  for (const name of ["build.mjs", "config.mjs", "packages.mjs", "source.mjs", "kernel.config"])
    hash.update(readFileSync(join(here, name)));
  return hash.digest("hex").slice(0, 16);
}

/**
 * The environment of the kernel's make: nothing of a make around us, and nothing of this machine or moment in the
 * result (Documentation/kbuild/reproducible-builds.rst). The time is that of Debian's source.
 */
function makeEnvironment(tree) {
  return {
    PATH: process.env.PATH,
    LC_ALL: "C",
    KCONFIG_ALLCONFIG: fragmentPath,
    KBUILD_BUILD_TIMESTAMP: statSync(join(tree, "Kbuild")).mtime.toUTCString(),
    KBUILD_BUILD_USER: "kata",
    KBUILD_BUILD_HOST: "kata",
    KBUILD_BUILD_VERSION: "1",
  };
}

/** Runs make in the tree, its output in the log; throws the log's end. */
function make(tree, ...targets) {
  const fd = openSync(log, "a");
  try {
    const jobs = process.env.JOBS ?? availableParallelism();
    const { status } = spawnSync("nice", ["-n", "19", "make", `-j${jobs}`, ...targets], {
      cwd: tree,
      env: makeEnvironment(tree),
      stdio: ["ignore", fd, fd],
    });
    if (status === 0) return;
  } finally {
    closeSync(fd);
  }
  const tail = readFileSync(log, "utf8").trimEnd().split("\n").slice(-LOG_TAIL);
  throw new Error(`make ${targets.join(" ")} failed (all of it: ${log})\n${tail.join("\n")}`);
}

/** Makes .config from nothing but the fragment; throws when Kconfig did not take all of it. */
function configure(tree) {
  make(tree, "allnoconfig");
  const unmet = unmetSettings(
    readFileSync(fragmentPath, "utf8"),
    readFileSync(join(tree, ".config"), "utf8"),
  );
  if (unmet.length > 0)
    throw new Error(`${fragmentPath}: Kconfig dropped ${unmet.length} settings:\n${unmet.join("\n")}`);
}

/** Compiles a source; leaves vmlinux and config in `result`. */
function compile(source, result) {
  rmSync(log, { force: true });
  const tree = unpackSource(cache, source);
  configure(tree);
  say(`compiling ${source} (5 to 15 minutes on 2 CPUs; log: ${log})`);
  make(tree, "vmlinux");
  const work = `${result}.new`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work);
  execFileSync("strip", ["-s", "-o", join(work, "vmlinux"), join(tree, "vmlinux")]);
  if (!hasPvhNote(readFileSync(join(work, "vmlinux"))))
    throw new Error(`${tree}/vmlinux: no PVH note: QEMU cannot enter it by -kernel`);
  copyFileSync(join(tree, ".config"), join(work, "config"));
  renameSync(work, result);
}

/** The source to build; a fresh machine's apt has no lists yet. */
function findSource() {
  const known = resolveSource(cache);
  if (known !== undefined) return known;
  updateLists();
  const found = resolveSource(cache);
  if (found === undefined)
    throw new Error("apt knows no linux-source-6.1: this needs Debian 12's package sources");
  return found;
}

function buildKernel() {
  if (process.arch !== "x64") throw new Error(`not on ${process.arch}: the fragment is for x86-64`);
  installMissing();
  const source = findSource();
  const result = join(cache, resultName(source));
  if (!existsSync(result)) compile(source, result);
  const vmlinux = slimVmlinux(readFileSync(join(result, "vmlinux")));
  if (existsSync(product) && readFileSync(product).equals(vmlinux)) return;
  mkdirSync(dirname(product), { recursive: true });
  writeFileSync(`${product}.new`, vmlinux);
  renameSync(`${product}.new`, product);
  say(`${product}: ${source}, ${(vmlinux.length / 2 ** 20).toFixed(1)} MiB`);
}

/** Two builds would share a tree: the second waits for the first. */
function underLock() {
  mkdirSync(cache, { recursive: true });
  const { status } = spawnSync(
    "flock",
    [join(cache, "lock"), process.execPath, fileURLToPath(import.meta.url)],
    {
      stdio: "inherit",
      env: { ...process.env, KATA_GUEST_KERNEL_LOCKED: "1" },
    },
  );
  return status ?? 1;
}

if (process.env.KATA_GUEST_KERNEL_LOCKED === undefined) process.exit(underLock());
try {
  buildKernel();
} catch (error) {
  say(error.message);
  process.exit(1);
}
