// What is read of a kernel's ELF file (64 bits, little-endian; elf(5)).

/** p_type. */
export const PT = { LOAD: 1, NOTE: 4 };

/**
 * The program headers.
 * @param {Buffer} elf @returns {{at: number, type: number, start: number, end: number}[]} where the header is, and its part of the file
 */
export function programHeaders(elf) {
  const [table, size, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(54), elf.readUInt16LE(56)];
  return Array.from({ length: count }, (_, index) => {
    const at = table + index * size;
    const start = Number(elf.readBigUInt64LE(at + 8));
    return { at, type: elf.readUInt32LE(at), start, end: start + Number(elf.readBigUInt64LE(at + 32)) };
  });
}
