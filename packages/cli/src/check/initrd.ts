import type { KataConfig } from "@kata-containers/config";
import { KataError } from "@kata-containers/sys";
import { type Finding, failure, ok } from "./finding.ts";
import { ReadableFile } from "./read-at.ts";

const ADVICE = "build one (make build), or set initrd of [hypervisor.qemu]";
const MIB = 1 << 20;

/** Whether the guest's initrd is one, has an /init, and fits into the guest. */
export function checkInitrd({ hypervisor }: KataConfig): Finding[] {
  const { initrd, default_memory: memory } = hypervisor;
  try {
    using file = new ReadableFile(initrd);
    const wrong = initrdObstacle(file);
    if (wrong !== undefined) return [failure("initrd", `${initrd}: ${wrong}`, ADVICE)];
    const mib = file.size / MIB;
    if (mib < memory) return [ok("initrd", `${initrd}: ${mib.toFixed(1)} MiB, with an /init`)];
    return [
      failure(
        "initrd",
        `${initrd}: ${mib.toFixed(1)} MiB do not fit into ${memory} MiB`,
        "raise default_memory",
      ),
    ];
  } catch (error) {
    return [failure("initrd", KataError.from(error).message, ADVICE)];
  }
}

/** First bytes of what the kernel unpacks first (lib/decompress.c): not looked into. */
const COMPRESSED = [
  "\x1f\x8b",
  "\xfd7zXZ",
  "\x28\xb5\x2f\xfd",
  "\x02\x21\x4c\x18",
  "\x5d\x00\x00",
  "BZh",
  "\x89LZO",
];

/** A header of the newc format, and where its fields are (Documentation/driver-api/early-userspace/buffer-format.rst). */
const HEADER_BYTES = 110;
const FILE_SIZE = 54;
const NAME_SIZE = 94;
const MAX_ENTRIES = 100_000;

export function initrdObstacle(file: Pick<ReadableFile, "at">): string | undefined {
  const start = file.at(0, 8).text(0, 8);
  if (COMPRESSED.some((magic) => start.startsWith(magic))) return undefined;
  if (!/^07070[12]/.test(start)) return "is no cpio archive (newc), compressed or not";
  let offset = 0;
  for (let entry = 0; entry < MAX_ENTRIES; entry++) {
    const header = file.at(offset, HEADER_BYTES + 64);
    if (!/^07070[12]/.test(header.text(0, 6))) return "is cut off, or no archive from its middle on";
    const field = (at: number) => Number.parseInt(header.text(at, 8), 16);
    const nameSize = field(NAME_SIZE);
    const name = header.text(HEADER_BYTES, nameSize - 1);
    if (name === "init" || name === "./init") return undefined;
    if (name === "TRAILER!!!") return "has no /init";
    offset = aligned(aligned(offset + HEADER_BYTES + nameSize) + field(FILE_SIZE));
  }
  return "has no /init";
}

function aligned(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}
