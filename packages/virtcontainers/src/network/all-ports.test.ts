import { type Ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { AllPorts, LOOPBACK_4, LOOPBACK_6, steeringProgram } from "./all-ports.ts";

afterEach(() => setOps(undefined));

test("the program looks at protocol, family and address, and leaves by its end", () => {
  const words = steeringProgram(LOOPBACK_4, 9);
  const instructions = Array.from({ length: words.length / 2 }, (_, at) => ({
    op: (words[2 * at] ?? 0) & 0xff,
    offset: (words[2 * at] ?? 0) >> 16,
    number: words[2 * at + 1],
  }));
  const jumps = instructions.flatMap(({ op, offset, number }, at) =>
    op === 0x56 || op === 0x15 ? [{ to: at + 1 + offset, number }] : [],
  );
  const end = instructions.length - 2;
  expect(jumps).toEqual([6, 2, 0x0100007f, 0].map((number) => ({ to: end, number })));
  expect(instructions.filter(({ op }) => op === 0x85).map(({ number }) => number)).toEqual([1, 124, 86]);
  expect(instructions.find(({ op }) => op === 0x18)?.number).toBe(9);
  expect(steeringProgram(LOOPBACK_6, 9)).toHaveLength(words.length + 3 * 4);
});

test("what was opened is closed when the kernel has no such programs", () => {
  const closed: number[] = [];
  const fake: Partial<Ops> = {
    inetBind: () => 5,
    bpfSockets: () => 6,
    open: () => 7,
    bpfLink: () => {
      throw new SysError("EINVAL", "bpf BPF_PROG_LOAD");
    },
    close: (fd) => {
      closed.push(fd);
    },
  };
  setOps(fake as Ops);
  expect(() => new AllPorts(LOOPBACK_4)).toThrow("EINVAL");
  expect(closed.sort()).toEqual([5, 6, 7]);
});
