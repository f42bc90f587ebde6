import type { KataConfig } from "@kata-containers/config";
import { KataError } from "@kata-containers/sys";
import { type Finding, failure, ok } from "./finding.ts";
import { type Bytes, ReadableFile } from "./read-at.ts";

const ADVICE = "build one (make build, make guest-kernel), or set kernel of [hypervisor.qemu]";

/** Whether the guest's kernel is one that QEMU can boot. */
export function checkGuestKernel({ hypervisor }: KataConfig): Finding[] {
  const { kernel } = hypervisor;
  try {
    using file = new ReadableFile(kernel);
    const { format, wrong } = kernelFormat(file);
    return [
      wrong === undefined
        ? ok("kernel", `${kernel}: ${format}`)
        : failure("kernel", `${kernel}: ${wrong}`, ADVICE),
    ];
  } catch (error) {
    return [failure("kernel", KataError.from(error).message, ADVICE)];
  }
}

type Format =
  | { readonly format: string; readonly wrong?: never }
  | { readonly wrong: string; readonly format?: never };

/** ELF: elf(5). bzImage: the boot protocol's header, Documentation/arch/x86/boot.rst. */
export function kernelFormat(file: Pick<ReadableFile, "at">): Format {
  const head = file.at(0, 4096);
  if (head.text(0x202, 4) === "HdrS") return { format: "bzImage" };
  if (head.text(0, 4) !== "\x7fELF") return { wrong: "is neither an ELF kernel nor a bzImage" };
  const ELFCLASS64 = "\x02";
  const EM_X86_64 = 62;
  if (head.text(4, 1) !== ELFCLASS64 || head.u16(18) !== EM_X86_64) return { wrong: "is not for x86-64" };
  return hasPvhNote(file, head)
    ? { format: "ELF with a PVH note" }
    : { wrong: "has no PVH note, by which QEMU boots an ELF (CONFIG_PVH)" };
}

/** Linux has few program headers and short notes; a file that has more is none. */
const MAX_HEADERS = 64;
const MAX_NOTES = 65_536;

function hasPvhNote(file: Pick<ReadableFile, "at">, head: Bytes): boolean {
  const PT_NOTE = 4;
  const [offset, size, count] = [head.u64(32), head.u16(54), Math.min(head.u16(56), MAX_HEADERS)];
  const headers = file.at(offset, size * count);
  for (let at = 0; at < count * size; at += size) {
    if (headers.u32(at) !== PT_NOTE) continue;
    const notes = file.at(headers.u64(at + 8), Math.min(headers.u64(at + 32), MAX_NOTES));
    if (isAmong(notes, "Xen\0", XEN_ELFNOTE_PHYS32_ENTRY)) return true;
  }
  return false;
}

/** include/xen/interface/elfnote.h */
const XEN_ELFNOTE_PHYS32_ENTRY = 18;

function isAmong(notes: Bytes, owner: string, type: number): boolean {
  const padded = (length: number) => Math.ceil(length / 4) * 4;
  for (let at = 0; at + 12 <= notes.length; ) {
    const [nameSize, descriptionSize] = [notes.u32(at), notes.u32(at + 4)];
    if (notes.u32(at + 8) === type && notes.text(at + 12, nameSize) === owner) return true;
    at += 12 + padded(nameSize) + padded(descriptionSize);
  }
  return false;
}
