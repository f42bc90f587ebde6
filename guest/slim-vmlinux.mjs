// What a guest's kernel image need not have, so that it boots sooner and takes less of the host's memory: see slimVmlinux.

const PT_LOAD = 1;
const PAGE = 4096;

/**
 * A vmlinux (ELF64, little-endian) with the same kernel and less to load: without the zeroes at its segments' ends (.bss, .brk and
 * scratch memory, a third of Debian's), for a VM's memory is zero at its start; and without section headers, which no loader reads.
 * @param {Buffer} vmlinux @returns {Buffer} a new one
 */
export function slimVmlinux(vmlinux) {
  const elf = Buffer.from(vmlinux);
  let end = 0;
  for (const header of programHeaders(elf)) {
    if (elf.readUInt32LE(header) === PT_LOAD) dropTrailingZeroes(elf, header);
    end = Math.max(end, offsetOf(elf, header) + fileSizeOf(elf, header));
  }
  elf.writeBigUInt64LE(0n, 40); // e_shoff
  elf.writeUInt16LE(0, 60); // e_shnum
  elf.writeUInt16LE(0, 62); // e_shstrndx
  return elf.subarray(0, end);
}

function programHeaders(elf) {
  const [start, size, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(54), elf.readUInt16LE(56)];
  return Array.from({ length: count }, (_, index) => start + index * size);
}

const offsetOf = (elf, header) => Number(elf.readBigUInt64LE(header + 8));
const fileSizeOf = (elf, header) => Number(elf.readBigUInt64LE(header + 32));

function dropTrailingZeroes(elf, header) {
  const start = offsetOf(elf, header);
  let end = start + fileSizeOf(elf, header);
  while (end > start && elf[end - 1] === 0) end--;
  const size = Math.min(fileSizeOf(elf, header), Math.ceil((end - start) / PAGE) * PAGE);
  elf.writeBigUInt64LE(BigInt(size), header + 32); // p_filesz
  elf.writeBigUInt64LE(BigInt(size), header + 40); // p_memsz
}
