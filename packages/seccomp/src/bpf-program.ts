import { refuse } from "./refuse.ts";

/** Opcodes of classic BPF (linux/bpf_common.h); a filter of seccomp has no other loads than words of struct seccomp_data. */
export const BPF = {
  LOAD_WORD: 0x20,
  AND: 0x54,
  GOTO: 0x05,
  IF_EQUAL: 0x15,
  IF_GREATER: 0x25,
  IF_GREATER_OR_EQUAL: 0x35,
  RETURN: 0x06,
} as const;

export type Comparison = typeof BPF.IF_EQUAL | typeof BPF.IF_GREATER | typeof BPF.IF_GREATER_OR_EQUAL;

/** An instruction that others can go on at: how many stand after it. */
export type Label = number;

/** BPF_MAXINSNS: the kernel takes no longer program. */
const MAX_INSTRUCTIONS = 4096;
/** Jumps of a comparison have 8 bits. */
const MAX_JUMP = 255;
/** sizeof(struct sock_filter) / sizeof(__u32) */
const WORDS = 2;

type Instruction = { readonly code: number; readonly k: number; readonly yes: number; readonly no: number };

/**
 * A program written from its last instruction to its first: BPF jumps only forward, so everything an instruction can go
 * to is there already, and no distance changes any more.
 */
export class BpfProgram {
  readonly #backwards: Instruction[] = [];
  readonly #returns = new Map<number, Label>();

  /** Ends the program with a value; every place that returns it shares one instruction, as far as jumps reach. */
  returns(value: number): Label {
    return this.#returns.get(value) ?? this.#addReturn(value);
  }

  /** Loads the word at a byte offset of struct seccomp_data, then goes on. */
  load(offset: number, next: Label): Label {
    this.#fallThrough(next);
    return this.#add({ code: BPF.LOAD_WORD, k: offset, yes: 0, no: 0 });
  }

  and(mask: number, next: Label): Label {
    this.#fallThrough(next);
    return this.#add({ code: BPF.AND, k: mask, yes: 0, no: 0 });
  }

  /** Compares what is loaded with an unsigned word. */
  branch(comparison: Comparison, word: number, yes: Label, no: Label): Label {
    if (yes === no) {
      return yes;
    }
    // Reaching one may put an instruction between here and the other.
    const yesLabel = this.#within(yes, MAX_JUMP - 1);
    const noLabel = this.#within(no, MAX_JUMP);
    return this.#add({
      code: comparison,
      k: word,
      yes: this.#distance(yesLabel),
      no: this.#distance(noLabel),
    });
  }

  /** The array of struct sock_filter, little-endian, beginning at the label. Throws InvalidArgument when it is too long. */
  bytes(start: Label): Uint8Array {
    this.#fallThrough(start);
    const length = this.#backwards.length;
    if (length > MAX_INSTRUCTIONS) {
      refuse(
        "",
        `the filter has ${length} instructions and the kernel takes ${MAX_INSTRUCTIONS}; use fewer rules`,
      );
    }
    // Words, not members by a DataView, whose four calls an instruction QuickJS feels: we run on little-endian machines alone.
    const words = new Uint32Array(length * WORDS);
    let at = words.length;
    for (const { code, k, yes, no } of this.#backwards) {
      at -= WORDS;
      words[at] = code | (yes << 16) | (no << 24);
      words[at + 1] = k;
    }
    return new Uint8Array(words.buffer);
  }

  #add(instruction: Instruction): Label {
    return this.#backwards.push(instruction) - 1;
  }

  #addReturn(value: number): Label {
    const label = this.#add({ code: BPF.RETURN, k: value, yes: 0, no: 0 });
    this.#returns.set(value, label);
    return label;
  }

  /** Instructions that a jump from the next one added skips. */
  #distance(label: Label): number {
    return this.#backwards.length - 1 - label;
  }

  #fallThrough(next: Label): void {
    if (this.#distance(next) > 0) {
      this.#add({ code: BPF.GOTO, k: this.#distance(next), yes: 0, no: 0 });
    }
  }

  /** The label, or one nearby that comes to the same. */
  #within(label: Label, reach: number): Label {
    if (this.#distance(label) <= reach) {
      return label;
    }
    const target = this.#backwards[label];
    if (target?.code !== BPF.RETURN) {
      return this.#add({ code: BPF.GOTO, k: this.#distance(label), yes: 0, no: 0 });
    }
    const copy = this.returns(target.k);
    return this.#distance(copy) <= reach ? copy : this.#addReturn(target.k);
  }
}
