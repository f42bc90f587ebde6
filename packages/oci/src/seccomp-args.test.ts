import { expect, test } from "vitest";
import { parseSpec } from "./parse-spec.ts";

function args(...texts: readonly string[]) {
  const entries = texts.map((text) => `{"index":0,"op":"SCMP_CMP_MASKED_EQ",${text}}`);
  const syscalls = `[{"names":["a"],"action":"A"},{"names":["b"],"action":"A","args":[${entries}]}]`;
  const seccomp = `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":${syscalls}}`;
  // Digits in strings, and a large number that is no argument, stay what they are.
  const rest = `"annotations":{"x":"\\"18446744073709551615\\\\","y":"9007199254740993"},"other":18446744073709551615`;
  return parseSpec(
    `{"ociVersion":"1.2.0",${rest},"root":{"path":"r"},"linux":{"seccomp":${seccomp}}}`,
  ).linux?.seccomp?.syscalls?.[1]?.args?.map(({ value, valueTwo }) => [value, valueTwo]);
}

test("a mask of 64 bits is exact, and a small value a number", () => {
  expect(
    args(
      `"value":18446744073709551615,"valueTwo":9007199254740993`,
      `"value":2080505856`,
      `"value":5,"valueTwo":9007199254740992`,
    ),
  ).toEqual([
    [0xffffffff_ffffffffn, 9007199254740993n],
    [2080505856, undefined],
    [5, 9007199254740992n],
  ]);
});

test.each([["18446744073709551616"], ["-9007199254740993"], ["1e30"], ["1.5"], ['"5"'], ["-1"]])(
  "the value %s is refused: it is no unsigned 64-bit integer",
  (value) => {
    expect(() => args(`"value":${value}`)).toThrow(
      "linux.seccomp.syscalls[1].args[0].value: must be an unsigned 64-bit integer",
    );
  },
);
