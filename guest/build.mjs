// Builds what a guest boots: build/guest/vmlinux and build/guest/initrd.img.
//
//   node guest/build.mjs kernel              the kernel and build/guest/modules/
//   node guest/build.mjs initrd              the image, from the modules, the agent and kata-launch
//
// Environment: KATA_AGENT, KATA_LAUNCH: other binaries for the image (tests).

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cpio } from "./cpio.mjs";
import { fetchKernel, kernelRelease, readVmlinux } from "./kernel.mjs";
import { resolveModules } from "./modules.mjs";
import { slimVmlinux } from "./slim-vmlinux.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const out = join(root, "build/guest");
const modulesOut = join(out, "modules");
const wanted = JSON.parse(readFileSync(join(here, "modules.conf.json"), "utf8"));

/** Writes a file in one step, and only when its bytes differ, so that make sees no change where there is none. */
function publish(path, bytes) {
  if (existsSync(path) && readFileSync(path).equals(bytes)) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, bytes);
  renameSync(`${path}.new`, path);
}

/** What the kernel step was made from; equal text means there is nothing to do. */
function stampOf(directory) {
  const sources = [
    "kernel.mjs",
    "elf.mjs",
    "slim-vmlinux.mjs",
    "modules.mjs",
    "build.mjs",
    "modules.conf.json",
  ];
  const hash = createHash("sha256");
  for (const source of sources) hash.update(readFileSync(join(here, source)));
  return `${directory}\n${hash.digest("hex")}\n`;
}

/** build/guest/vmlinux, build/guest/modules/<name>.ko and modules.json, which tells the agent the load order. */
function buildKernel() {
  const directory = fetchKernel(join(root, "build/cache"));
  const stamp = join(out, "kernel.stamp");
  const made = stampOf(directory);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === made) return;
  const release = kernelRelease(directory);
  const tree = join(directory, "lib/modules", release);
  const modules = resolveModules(tree, [...wanted.boot, ...wanted.onDemand]);
  publish(join(out, "vmlinux"), slimVmlinux(readVmlinux(directory)));
  rmSync(modulesOut, { recursive: true, force: true });
  for (const module of modules) publish(join(modulesOut, `${module.name}.ko`), module.file);
  const boot = resolveModules(tree, wanted.boot).map((module) => module.name);
  const needs = Object.fromEntries(modules.map((module) => [module.name, module.needs]));
  publish(join(modulesOut, "modules.json"), Buffer.from(`${JSON.stringify({ release, boot, needs })}\n`));
  publish(stamp, Buffer.from(made));
}

const DIRECTORIES = ["dev", "etc", "lib", "lib/modules", "proc", "root", "run", "sys", "tmp"];

/** build/guest/initrd.img for Debian's kernel, and initrd-own.img for our own, which has no modules. */
function buildInitrd() {
  const { needs } = JSON.parse(readFileSync(join(modulesOut, "modules.json"), "utf8"));
  const modules = Object.keys(needs).sort();
  publish(join(out, "initrd.img"), image(["modules.json", ...modules.map((name) => `${name}.ko`)]));
  publish(join(out, "initrd-own.img"), image([]));
}

/** An image: the agent as /init, kata-launch, the directories they mount on, and these files of build/guest/modules. */
function image(files) {
  const agent = process.env.KATA_AGENT ?? join(out, "kata-agent");
  const launch = process.env.KATA_LAUNCH ?? join(root, "target/x86_64-unknown-linux-gnu/release/kata-launch");
  return cpio([
    ...DIRECTORIES.map((path) => ({ path, dir: true, mode: path === "tmp" ? 0o1777 : 0o755 })),
    // The kernel opens /dev/console for /init before devtmpfs is there.
    { path: "dev/console", char: [5, 1], mode: 0o600 },
    { path: "init", file: readFileSync(agent), mode: 0o755 },
    { path: "kata-launch", file: readFileSync(launch), mode: 0o755 },
    ...files.map((name) => ({
      path: `lib/modules/${name}`,
      file: readFileSync(join(modulesOut, name)),
      mode: 0o644,
    })),
  ]);
}

const STEPS = { kernel: buildKernel, initrd: buildInitrd };

const step = STEPS[process.argv[2]];
if (step === undefined) {
  console.error(`usage: node guest/build.mjs ${Object.keys(STEPS).join("|")}`);
  process.exit(2);
}
try {
  step();
} catch (error) {
  console.error(`guest ${process.argv[2]}: ${error.message}`);
  process.exit(1);
}
