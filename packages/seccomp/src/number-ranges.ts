import { BPF, type BpfProgram, type Label } from "./bpf-program.ts";

const MAX_NUMBER = 0xffffffff;

/** Call numbers from this one up to the next range's. */
type Range = { readonly from: number; readonly target: Label };

/** The numbers of one audit architecture cut into ranges that go on alike: every number belongs to exactly one. */
export class NumberRanges {
  #wide: Range[];
  readonly #lone: Range[] = [];

  constructor(elsewhere: Label) {
    this.#wide = [{ from: 0, target: elsewhere }];
  }

  /** Sends the numbers from `from` to `to`, both included, to a label; what was said of them before is gone. */
  set(from: number, to: number, target: Label): void {
    const after = this.#wide.findLast((range) => range.from <= to + 1);
    this.#wide = [
      ...this.#wide.filter((range) => range.from < from),
      { from, target },
      ...(after === undefined || to === MAX_NUMBER ? [] : [{ from: to + 1, target: after.target }]),
      ...this.#wide.filter((range) => range.from > to + 1),
    ];
  }

  /** Sends one number to a label, whatever range it is in. Numbers must come in ascending order. */
  setLone(number: number, target: Label): void {
    if (number <= (this.#lone.at(-1)?.from ?? -1)) {
      throw new RangeError(`number ${number} comes too late`);
    }
    this.#lone.push({ from: number, target });
  }

  /** Code that finds the range of the number that is loaded. */
  code(program: BpfProgram): Label {
    return search(program, this.#joined());
  }

  #joined(): readonly Range[] {
    const joined: Range[] = [];
    let last: Label | undefined;
    const add = (from: number, target: Label) => {
      if (target !== last) {
        joined.push({ from, target });
        last = target;
      }
    };
    let next = 0;
    for (const [at, range] of this.#wide.entries()) {
      const end = this.#wide[at + 1]?.from ?? MAX_NUMBER + 1;
      let from = range.from;
      for (let lone = this.#lone[next]; lone !== undefined && lone.from < end; lone = this.#lone[next]) {
        if (from < lone.from) {
          add(from, range.target);
        }
        add(lone.from, lone.target);
        from = lone.from + 1;
        next += 1;
      }
      if (from < end) {
        add(from, range.target);
      }
    }
    return joined;
  }
}

/** Binary search; a lone number amid a range takes one test for equality instead of two of order. */
function search(program: BpfProgram, ranges: readonly Range[]): Label {
  const [first, second, third] = ranges;
  if (first === undefined) {
    throw new RangeError("no range to search");
  }
  if (second === undefined) {
    return first.target;
  }
  if (ranges.length === 3 && third?.from === second.from + 1 && third.target === first.target) {
    return program.branch(BPF.IF_EQUAL, second.from, second.target, first.target);
  }
  const half = ranges.length >> 1;
  const middle = ranges[half] ?? second;
  const below = search(program, ranges.slice(0, half));
  const above = search(program, ranges.slice(half));
  return program.branch(BPF.IF_GREATER_OR_EQUAL, middle.from, above, below);
}
