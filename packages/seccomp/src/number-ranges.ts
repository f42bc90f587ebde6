import { BPF, type BpfProgram, type Label } from "./bpf-program.ts";

const MAX_NUMBER = 0xffffffff;

/** Call numbers from this one up to the next range's. */
type Range = { readonly from: number; readonly target: Label };

/** Numbers side by side that go on alike. */
type Run = { readonly from: number; to: number; readonly target: Label };

/** The numbers of one audit architecture cut into ranges that go on alike: every number belongs to exactly one. */
export class NumberRanges {
  #wide: Range[];
  readonly #lone: Run[] = [];
  #last: Run | undefined;

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
    const last = this.#last;
    if (last !== undefined && number <= last.to) {
      throw new RangeError(`number ${number} comes too late`);
    }
    if (last !== undefined && last.target === target && last.to + 1 === number) {
      last.to = number;
      return;
    }
    this.#last = { from: number, to: number, target };
    this.#lone.push(this.#last);
  }

  /** Code that finds the range of the number that is loaded. */
  code(program: BpfProgram): Label {
    const ranges = this.#joined();
    return search(program, ranges, 0, ranges.length);
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
    let from = 0;
    for (const [at, range] of this.#wide.entries()) {
      const end = this.#wide[at + 1]?.from ?? MAX_NUMBER + 1;
      for (let lone = this.#lone[next]; lone !== undefined && lone.from < end; lone = this.#lone[next]) {
        if (from < lone.from) {
          add(from, range.target);
        }
        add(lone.from, lone.target);
        from = lone.to + 1;
        next += 1;
      }
      if (from < end) {
        add(from, range.target);
        from = end;
      }
    }
    return joined;
  }
}

/** Binary search from `start` to before `end`; a lone number amid a range takes one test for equality instead of two of order. */
function search(program: BpfProgram, ranges: readonly Range[], start: number, end: number): Label {
  const first = ranges[start];
  const second = ranges[start + 1];
  const third = ranges[start + 2];
  if (first === undefined || start === end) {
    throw new RangeError("no range to search");
  }
  if (second === undefined || end === start + 1) {
    return first.target;
  }
  if (end === start + 3 && third?.from === second.from + 1 && third.target === first.target) {
    return program.branch(BPF.IF_EQUAL, second.from, second.target, first.target);
  }
  const half = start + ((end - start) >> 1);
  const middle = ranges[half] ?? second;
  const below = search(program, ranges, start, half);
  const above = search(program, ranges, half, end);
  return program.branch(BPF.IF_GREATER_OR_EQUAL, middle.from, above, below);
}
