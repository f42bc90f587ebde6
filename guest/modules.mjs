// The kernel modules of the image: which files, in which order. Dependencies are read from each module's
// own .modinfo section ("depends="), because a package that was never installed has no modules.dep.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

const MODULE_MAX = 64 * 1024 * 1024;

/** "virtio-rng" and "virtio_rng" are one module; the kernel says "_". */
const canonical = (name) => name.replaceAll("-", "_");

/** The key=value strings of a module's .modinfo section. */
function modinfo(elf) {
  const sections = Number(elf.readBigUInt64LE(0x28));
  const size = elf.readUInt16LE(0x3a);
  const header = (index) => sections + index * size;
  const names = Number(elf.readBigUInt64LE(header(elf.readUInt16LE(0x3e)) + 0x18));
  for (let index = 0; index < elf.readUInt16LE(0x3c); index++) {
    const name = names + elf.readUInt32LE(header(index));
    if (elf.toString("latin1", name, elf.indexOf(0, name)) !== ".modinfo") continue;
    const start = Number(elf.readBigUInt64LE(header(index) + 0x18));
    const length = Number(elf.readBigUInt64LE(header(index) + 0x20));
    return elf.toString("latin1", start, start + length).split("\0");
  }
  throw new Error("no .modinfo section");
}

/** Every module file of a kernel, by canonical name. Debian 13 and newer compress them. */
function indexModules(directory) {
  const found = new Map();
  for (const entry of readdirSync(directory, { recursive: true })) {
    if (/\.ko(\.xz)?$/.test(entry))
      found.set(canonical(basename(entry).replace(/\.ko.*/, "")), join(directory, entry));
  }
  return found;
}

function readModule(path) {
  const file = readFileSync(path);
  return path.endsWith(".xz")
    ? execFileSync("xz", ["-dc"], { input: file, maxBuffer: MODULE_MAX, stdio: ["pipe", "pipe", "inherit"] })
    : file;
}

/** Names built into the kernel itself: nothing to load. */
function builtin(directory) {
  const lines = readFileSync(join(directory, "modules.builtin"), "utf8").split("\n");
  return new Set(lines.map((line) => canonical(basename(line, ".ko"))));
}

/**
 * A module without what costs the guest time at its load and what nobody asks for there: type information (.BTF, for
 * tracing programs), the signature, which would be checked over every byte, and the symbols that no relocation names. Who could
 * change a module in the image could change the kernel beside it as well.
 */
function stripped(path) {
  const work = mkdtempSync(join(tmpdir(), "kata-module-"));
  try {
    const copy = join(work, "module.ko");
    writeFileSync(copy, readModule(path));
    execFileSync("strip", ["--strip-unneeded", "--remove-section=.BTF", copy], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    return readFileSync(copy);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * The closure of `wanted` over dependencies, in load order (a module stands behind what it needs).
 * Returns [{name, needs, file: Buffer}].
 */
export function resolveModules(directory, wanted) {
  const paths = indexModules(directory);
  const included = builtin(directory);
  const resolved = new Map();
  const visit = (name) => {
    if (resolved.has(name) || included.has(name)) return;
    const path = paths.get(name);
    if (path === undefined) throw new Error(`kernel module ${name} is not in ${directory}`);
    const file = stripped(path);
    const depends = modinfo(file).find((line) => line.startsWith("depends=")) ?? "depends=";
    const needs = depends.slice("depends=".length).split(",").filter(Boolean).map(canonical);
    needs.forEach(visit);
    resolved.set(name, { name, needs: needs.filter((need) => !included.has(need)), file });
  };
  wanted.map(canonical).forEach(visit);
  return [...resolved.values()];
}
