/** struct seccomp_data without the instruction pointer, which no filter of ours reads. */
export type Call = { readonly number: number; readonly arch: number; readonly args: readonly bigint[] };

const MAX_INSTRUCTIONS = 4096;

/** Runs a filter as the kernel does (net/core/filter.c), and refuses what the kernel's checker refuses. */
export function runFilter(program: Uint8Array, call: Call): number {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const data = seccompData(call);
  let accumulator = 0;
  for (let at = 0; ; at += 8) {
    const k = code.getUint32(at + 4, true);
    const jump = (taken: boolean) => 8 * code.getUint8(at + (taken ? 2 : 3));
    switch (code.getUint16(at, true)) {
      case 0x20:
        accumulator = data.getUint32(k, true);
        break;
      case 0x54:
        accumulator = (accumulator & k) >>> 0;
        break;
      case 0x05:
        at += 8 * k;
        break;
      case 0x15:
        at += jump(accumulator === k);
        break;
      case 0x25:
        at += jump(accumulator > k);
        break;
      case 0x35:
        at += jump(accumulator >= k);
        break;
      case 0x45:
        at += jump((accumulator & k) !== 0);
        break;
      case 0x06:
        return k;
      default:
        throw new Error(`no such instruction: ${code.getUint16(at, true)} at ${at / 8}`);
    }
  }
}

/** What the kernel asks of a program before it runs it (bpf_check_classic, seccomp_check_filter). */
export function checkFilter(program: Uint8Array): void {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const length = program.length / 8;
  if (!Number.isInteger(length) || length < 1 || length > MAX_INSTRUCTIONS) {
    throw new Error(`${program.length} bytes are no program`);
  }
  for (let at = 0; at < length; at += 1) {
    const opcode = code.getUint16(at * 8, true);
    const k = code.getUint32(at * 8 + 4, true);
    const farthest = opcode === 0x05 ? k : Math.max(code.getUint8(at * 8 + 2), code.getUint8(at * 8 + 3));
    if ((opcode & 7) === 5 && at + 1 + farthest >= length) {
      throw new Error(`instruction ${at} jumps out of the program`);
    }
    if (opcode === 0x20 && (k % 4 !== 0 || k >= 64)) {
      throw new Error(`instruction ${at} loads from ${k}`);
    }
  }
  if (code.getUint16((length - 1) * 8, true) !== 0x06) {
    throw new Error("the last instruction does not return");
  }
}

function seccompData({ number, arch, args }: Call): DataView {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, true);
  data.setUint32(4, arch, true);
  for (const [index, value] of args.entries()) {
    data.setBigUint64(16 + index * 8, value, true);
  }
  return data;
}
