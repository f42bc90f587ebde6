// What a guest's kernel image need not have, so that it boots sooner and takes less of the host's memory: see slimVmlinux.
import { PT, programHeaders } from "./elf.mjs";

const PAGE = 4096;

/**
 * A vmlinux (ELF64, little-endian) with the same kernel and less to load: without the zeroes at its segments' ends (.bss, .brk and
 * scratch memory, a third of Debian's), for a VM's memory is zero at its start; and without section headers, which no loader reads.
 * @param {Buffer} vmlinux @returns {Buffer} a new one
 */
export function slimVmlinux(vmlinux) {
  const elf = Buffer.from(vmlinux);
  for (const header of programHeaders(elf)) if (header.type === PT.LOAD) dropTrailingZeroes(elf, header);
  const end = Math.max(...programHeaders(elf).map((header) => header.end));
  elf.writeBigUInt64LE(0n, 40); // e_shoff
  elf.writeUInt16LE(0, 60); // e_shnum
  elf.writeUInt16LE(0, 62); // e_shstrndx
  return elf.subarray(0, end);
}

function dropTrailingZeroes(elf, { at, start, end }) {
  let used = end;
  while (used > start && elf[used - 1] === 0) used--;
  const size = BigInt(Math.min(end - start, Math.ceil((used - start) / PAGE) * PAGE));
  elf.writeBigUInt64LE(size, at + 32); // p_filesz
  elf.writeBigUInt64LE(size, at + 40); // p_memsz
}
