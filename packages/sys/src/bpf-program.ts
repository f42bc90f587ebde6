/** One instruction of a BPF program. Registers are 0 (the result) to 10; 1 is the context when the program begins. */
export type BpfInstruction = {
  readonly op: number;
  readonly to?: number;
  readonly from?: number;
  /** Of memory in bytes, of a jump in instructions after the next. */
  readonly offset?: number;
  readonly number?: number;
};

/** Operation codes: Documentation/bpf/standardization/instruction-set.rst. */
export const BPF_OP = {
  /** 32 bits, as STORE. */
  LOAD: 0x61,
  STORE: 0x63,
  MOVE: 0xbc,
  MOVE_NUMBER: 0xb4,
  AND: 0x54,
  SHIFT_RIGHT: 0x74,
  JUMP: 0x05,
  JUMP_EQUAL: 0x15,
  JUMP_ANY_BIT: 0x45,
  JUMP_NOT_EQUAL: 0x55,
  EXIT: 0x95,
  /** 64 bits: those above, but of jumps, are of 32. */
  MOVE_64: 0xbf,
  MOVE_NUMBER_64: 0xb7,
  /** Compared with a register. */
  JUMP_NOT_EQUAL_TO: 0x5d,
  /** 32 bits, so that a number may be any of those. */
  JUMP_NOT_EQUAL_32: 0x56,
  ADD_NUMBER_64: 0x07,
  /** The number of two instructions, the second of which is zeros but for it; from BPF_FROM_MAP it is a map's descriptor. */
  LOAD_NUMBER_64: 0x18,
  /** Of a helper, by its number (linux/bpf.h, ___BPF_FUNC_MAPPER). */
  CALL: 0x85,
} as const;

/** struct bpf_insn: code, dst:4 src:4, off, imm. */
export function bpfWords({ op, to = 0, from = 0, offset = 0, number = 0 }: BpfInstruction): [number, number] {
  return [(op | (to << 8) | (from << 12) | ((offset & 0xffff) << 16)) >>> 0, number >>> 0];
}

/** BPF_PSEUDO_MAP_FD */
export const BPF_FROM_MAP = 1;

/** The register of the program's memory, which ends there: 512 bytes. */
export const BPF_FRAME = 10;

const JUMPS: readonly number[] = [
  BPF_OP.JUMP_EQUAL,
  BPF_OP.JUMP_NOT_EQUAL,
  BPF_OP.JUMP_NOT_EQUAL_32,
  BPF_OP.JUMP_NOT_EQUAL_TO,
];

/** A program whose jumps all lead to its end, which gives this result. @returns two words an instruction */
export function bpfProgram(body: readonly BpfInstruction[], result: number): number[] {
  return [
    ...body.map((each, at) => (JUMPS.includes(each.op) ? { ...each, offset: body.length - at - 1 } : each)),
    { op: BPF_OP.MOVE_NUMBER, to: 0, number: result },
    { op: BPF_OP.EXIT },
  ].flatMap(bpfWords);
}
