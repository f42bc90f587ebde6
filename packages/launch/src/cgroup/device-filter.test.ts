import type { DeviceRule } from "@kata-containers/oci";
import { BPF_OP as OP } from "@kata-containers/sys";
import { expect, test } from "vitest";
import { deviceFilter } from "./device-filter.ts";
import { type DeviceAccess, deviceRules } from "./device-rules.ts";

type Request = {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  readonly access: string;
};

const BITS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };

/** Runs a program as the kernel's interpreter would: its verdict on one request. */
function interpret(program: readonly number[], request: Request): boolean {
  const access = [...request.access].reduce((sum, letter) => sum + (BITS[letter] ?? 0), 0);
  const context: Record<number, number> = {
    0: (access << 16) | (request.type === "b" ? 1 : 2),
    4: request.major,
    8: request.minor,
  };
  const registers: number[] = Array(11).fill(0);
  for (let at = 0, steps = 0; steps < 10_000; at++, steps++) {
    const word = program[2 * at] ?? Number.NaN;
    const number = program[2 * at + 1] ?? Number.NaN;
    const [to, from, offset] = [(word >> 8) & 15, (word >> 12) & 15, word >> 16];
    const value = registers[to] ?? 0;
    const jump = (on: boolean) => {
      if (on) at += offset;
    };
    switch (word & 0xff) {
      case OP.LOAD:
        registers[to] = context[offset] ?? Number.NaN;
        break;
      case OP.MOVE:
        registers[to] = registers[from] ?? Number.NaN;
        break;
      case OP.MOVE_NUMBER:
        registers[to] = number;
        break;
      case OP.AND:
        registers[to] = value & number;
        break;
      case OP.SHIFT_RIGHT:
        registers[to] = value >>> number;
        break;
      case OP.JUMP:
        jump(true);
        break;
      case OP.JUMP_EQUAL:
        jump(value === number);
        break;
      case OP.JUMP_NOT_EQUAL:
        jump(value !== number);
        break;
      case OP.JUMP_ANY_BIT:
        jump((value & number) !== 0);
        break;
      case OP.EXIT:
        return registers[0] === 1;
      default:
        throw new Error(`no such instruction at ${at}: ${word}`);
    }
  }
  throw new Error("the program does not end");
}

/** The meaning of rules: for each access asked for, the last rule that fits decides. */
function verdict(rules: readonly DeviceAccess[], request: Request): boolean {
  return [...request.access].every((letter) => {
    const last = rules.findLast(
      ({ type, major, minor, access }) =>
        type === "a" ||
        (type === request.type &&
          (major ?? request.major) === request.major &&
          (minor ?? request.minor) === request.minor &&
          access.includes(letter)),
    );
    return last?.allow === true;
  });
}

const ask = (rules: readonly DeviceRule[], type: "b" | "c", major: number, minor: number, access: string) => {
  const program = deviceFilter(deviceRules(rules));
  return program === undefined || interpret(program, { type, major, minor, access });
};

/** As dockerd 26 writes them. */
const DOCKER: readonly DeviceRule[] = [
  { allow: false, access: "rwm" },
  { allow: true, type: "c", major: 1, minor: 5, access: "rwm" },
  { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
  { allow: true, type: "c", major: 1, minor: 9, access: "rwm" },
  { allow: true, type: "c", major: 1, minor: 8, access: "rwm" },
  { allow: true, type: "c", major: 5, minor: 0, access: "rwm" },
  { allow: true, type: "c", major: 5, minor: 1, access: "rwm" },
  { allow: false, type: "c", major: 10, minor: 229, access: "rwm" },
];

test("docker's default: the default devices, pseudo terminals and mknod, and nothing else", () => {
  expect(ask(DOCKER, "c", 1, 3, "rw")).toBe(true);
  expect(ask(DOCKER, "c", 136, 7, "rw")).toBe(true);
  expect(ask(DOCKER, "b", 8, 0, "m")).toBe(true);
  expect(ask(DOCKER, "b", 8, 0, "r")).toBe(false);
  expect(ask(DOCKER, "b", 8, 0, "rm")).toBe(false);
  expect(ask(DOCKER, "c", 1, 1, "r")).toBe(false);
  expect(ask(DOCKER, "c", 10, 229, "w")).toBe(false);
});

test("without rules nothing but what every container has is allowed", () => {
  expect(ask([], "c", 1, 9, "r")).toBe(true);
  expect(ask([], "c", 10, 200, "r")).toBe(false);
});

test("a privileged container needs no program", () => {
  expect(deviceFilter(deviceRules([{ allow: true, access: "rwm" }]))).toBeUndefined();
});

test("everything but one device", () => {
  const rules = [{ allow: true }, { allow: false, type: "b", major: 8, access: "w" }];
  expect(ask(rules, "b", 8, 3, "r")).toBe(true);
  expect(ask(rules, "b", 8, 3, "rw")).toBe(false);
  expect(ask(rules, "b", 9, 3, "rw")).toBe(true);
});

test("access that two rules allow together is allowed", () => {
  const rules: DeviceRule[] = ["r", "w"].map((access) => ({
    allow: true,
    type: "c",
    major: 10,
    minor: 1,
    access,
  }));
  expect(ask(rules, "c", 10, 1, "rw")).toBe(true);
});

test("rules that later ones override cost nothing: docker's program has at most 64 instructions", () => {
  expect((deviceFilter(deviceRules(DOCKER)) ?? []).length / 2).toBeLessThanOrEqual(64);
});

test("any rules mean the same to the program as to their definition", () => {
  let seed = 1;
  const pick = <T>(list: readonly T[]): T => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return list[(seed >> 8) % list.length] as T;
  };
  const numbers = [undefined, -1, 0, 1, 2];
  const accesses = ["", "r", "w", "m", "rw", "rwm"];
  for (let round = 0; round < 400; round++) {
    const rules = Array.from({ length: round % 8 }, () => ({
      allow: pick([true, false]),
      type: pick(["a", "b", "c", "c", "b"]),
      major: pick(numbers),
      minor: pick(numbers),
      access: pick(accesses),
    })).map((rule) => JSON.parse(JSON.stringify(rule)) as DeviceRule);
    for (const type of ["b", "c"] as const) {
      for (const access of ["", "r", "w", "m", "rw", "rwm"]) {
        for (const [major, minor] of [
          [0, 0],
          [1, 2],
          [2, 1],
          [3, 3],
          [1, 3],
        ] as const) {
          const expected = verdict(deviceRules(rules), { type, major, minor, access });
          expect(
            ask(rules, type, major, minor, access),
            JSON.stringify({ rules, type, major, minor, access }),
          ).toBe(expected);
        }
      }
    }
  }
});

test.each([
  [{ allow: true, type: "x" }, /devices\[0\]\.type: is not a, b or c/],
  [{ allow: true, type: "c", access: "rx" }, /devices\[0\]\.access/],
  [{ allow: true, type: "c", major: 5000 }, /devices\[0\]\.major: is not a number from 0 to 4095/],
  [{ allow: true, type: "c", major: 1, minor: -2 }, /devices\[0\]\.minor/],
])("a rule that means nothing is refused: %j", (rule, message) => {
  expect(() => deviceRules([rule])).toThrow(message);
});
