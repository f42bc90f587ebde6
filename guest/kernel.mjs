// Debian's generic kernel, without installing it: the package is downloaded and unpacked into a cache
// directory named by its version; the vmlinux inside the bzImage is what QEMU boots through its PVH note.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { withLists } from "./apt.mjs";
import { PT, programHeaders } from "./elf.mjs";

const META_PACKAGE = "linux-image-amd64";
const UNPACKED_MAX = 256 * 1024 * 1024;

const run = (program, args, options = {}) =>
  execFileSync(program, args, { maxBuffer: UNPACKED_MAX, stdio: ["pipe", "pipe", "inherit"], ...options });

/** The versioned package that the meta package stands for today, and its version. */
function resolvePackage() {
  const depends = run("apt-cache", ["depends", META_PACKAGE], { encoding: "utf8" });
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined)
    throw new Error(`apt knows no ${META_PACKAGE}: this needs Debian 12's package sources`);
  const shown = run("apt-cache", ["show", "--no-all-versions", name], { encoding: "utf8" });
  const version = /^Version: (\S+)$/m.exec(shown)?.[1];
  if (version === undefined) throw new Error(`apt knows no version of ${name}`);
  return { name, version };
}

/** Newest cached kernel, for a machine that is offline. */
function newestCached(cache) {
  const found = existsSync(cache) ? readdirSync(cache).filter((name) => name.startsWith("linux-image-")) : [];
  return found.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
}

/** The kernel package, unpacked, once a version: the newest there is. A machine that is offline has the newest in the cache. Returns its directory. */
export function fetchKernel(cache) {
  try {
    return withLists(() => fetchNewest(cache));
  } catch (error) {
    const cached = newestCached(cache);
    if (cached === undefined) throw error;
    console.error(
      `guest: ${cached} of the cache is taken, for a newer kernel is not to be had: ${error.message}`,
    );
    return join(cache, cached);
  }
}

function fetchNewest(cache) {
  const wanted = resolvePackage();
  const directory = join(cache, `${wanted.name}_${wanted.version.replaceAll(":", "%3a")}`);
  if (existsSync(directory)) return directory;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, ".fetch-"));
  try {
    run("apt-get", ["download", "-q", "-o", "APT::Sandbox::User=root", `${wanted.name}=${wanted.version}`], {
      cwd: work,
    });
    const deb = readdirSync(work).find((name) => name.endsWith(".deb"));
    if (deb === undefined) throw new Error(`apt-get download ${wanted.name} left no .deb`);
    run("dpkg-deb", ["-x", join(work, deb), join(work, "root")]);
    renameSync(join(work, "root"), directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return directory;
}

/** The kernel's release, as `uname -r` says it in the guest. */
export function kernelRelease(directory) {
  const [release, ...more] = readdirSync(join(directory, "lib/modules"));
  if (release === undefined || more.length > 0)
    throw new Error(`${directory}/lib/modules: not exactly one kernel`);
  return release;
}

// Compressions a bzImage's payload may have, by magic. All but gzip carry 4 bytes of size behind the stream.
const PAYLOADS = [
  {
    magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a],
    unpack: (data) => run("xz", ["-dc"], { input: data.subarray(0, -4) }),
  },
  {
    magic: [0x28, 0xb5, 0x2f, 0xfd],
    unpack: (data) => run("zstd", ["-dcq"], { input: data.subarray(0, -4) }),
  },
  {
    magic: [0x02, 0x21, 0x4c, 0x18],
    unpack: (data) => run("lz4", ["-dcq"], { input: data.subarray(0, -4) }),
  },
  { magic: [0x1f, 0x8b], unpack: (data) => gunzipSync(data) },
  { magic: [0x7f, 0x45, 0x4c, 0x46], unpack: (data) => data },
];

/** The ELF inside a bzImage (Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length). */
export function unpackBzImage(image) {
  if (image.toString("latin1", 0x202, 0x206) !== "HdrS") throw new Error("not a bzImage: no HdrS at 0x202");
  const start = ((image[0x1f1] || 4) + 1) * 512 + image.readUInt32LE(0x248);
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c));
  const kind = PAYLOADS.find(({ magic }) => magic.every((byte, index) => payload[index] === byte));
  if (kind === undefined)
    throw new Error(`bzImage payload of an unknown kind: ${payload.toString("hex", 0, 6)}`);
  const elf = kind.unpack(payload);
  if (elf.toString("latin1", 0, 4) !== "\x7fELF") throw new Error("bzImage payload is not an ELF file");
  return elf;
}

const XEN_ELFNOTE_PHYS32_ENTRY = 18;

/** Whether an ELF64 kernel has the note QEMU's -kernel enters it by (xen/include/public/elfnote.h). */
export function hasPvhNote(elf) {
  for (const { type, start, end } of programHeaders(elf)) {
    if (type !== PT.NOTE) continue;
    for (let note = start; note + 12 <= end; ) {
      const nameSize = elf.readUInt32LE(note);
      const size = elf.readUInt32LE(note + 4);
      const name = elf.toString("latin1", note + 12, note + 12 + nameSize);
      if (name === "Xen\0" && elf.readUInt32LE(note + 8) === XEN_ELFNOTE_PHYS32_ENTRY) return true;
      note += 12 + ((nameSize + 3) & ~3) + ((size + 3) & ~3);
    }
  }
  return false;
}

/** Reads the package's vmlinuz and returns its vmlinux, checked to be bootable through PVH. */
export function readVmlinux(directory) {
  const path = join(directory, "boot", `vmlinuz-${kernelRelease(directory)}`);
  const elf = unpackBzImage(readFileSync(path));
  if (!hasPvhNote(elf)) throw new Error(`${path}: no PVH note: QEMU cannot enter it by -kernel`);
  return elf;
}
