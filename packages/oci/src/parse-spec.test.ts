import { expect, test } from "vitest";
import { parseProcess, parseSpec } from "./parse-spec.ts";

const spec = (change: object = {}) =>
  JSON.stringify({
    ociVersion: "1.2.0",
    process: { args: ["true"], cwd: "/", user: { uid: 0, gid: 0 } },
    root: { path: "rootfs" },
    ...change,
  });

test("a configuration comes back as it stands, from text and from bytes", () => {
  const expected = JSON.parse(spec());
  expect(parseSpec(spec())).toEqual(expected);
  expect(parseSpec(new TextEncoder().encode(spec()))).toEqual(expected);
});

test("a null member is as good as none, for Go writes absent members so", () => {
  expect(parseSpec(spec({ hooks: null })).hooks).toBeUndefined();
});

test("a member that the specification does not know is let through", () => {
  expect(() => parseSpec(spec({ vendor: { x: 1 } }))).not.toThrow();
});

test.each([
  ["no JSON at all", "{", /^config.json: is not JSON/],
  ["no object", "[]", /^config.json: must be an object$/],
  ["no version", "{}", /^config.json: ociVersion: is required$/],
  ["a version that is none", spec({ ociVersion: "2" }), /ociVersion: must be a semantic version/],
  [
    "no arguments",
    spec({ process: { cwd: "/", args: [] } }),
    /^config.json: process.args: must be a non-empty array of strings$/,
  ],
  [
    "a number among the arguments",
    spec({ process: { cwd: "/", args: ["a", 1] } }),
    /process\.args\[1\]: must be a string/,
  ],
  [
    "NUL in an argument",
    spec({ process: { cwd: "/", args: ["a\0b"] } }),
    /process\.args\[0\]: must be a string without NUL/,
  ],
  [
    "a relative working directory",
    spec({ process: { cwd: "x", args: ["a"] } }),
    /process\.cwd: must be an absolute path/,
  ],
  [
    "a variable without a name",
    spec({ process: { cwd: "/", args: ["a"], env: ["=x"] } }),
    /process\.env\[0\]: must be NAME=value/,
  ],
  [
    "an unknown namespace",
    spec({ linux: { namespaces: [{ type: "disk" }] } }),
    /linux\.namespaces\[0\]\.type: must be one of pid/,
  ],
  [
    "a namespace twice",
    spec({ linux: { namespaces: [{ type: "pid" }, { type: "pid" }] } }),
    /linux\.namespaces\[1\]: namespace pid is there twice/,
  ],
  [
    "a negative user id",
    spec({ process: { cwd: "/", args: ["a"], user: { uid: -1 } } }),
    /process\.user\.uid: must be an id from 0 to 4294967294/,
  ],
  // setresuid(2) takes it as -1, and leaves us root (CVE-2024-40635).
  [
    "a user id of 2^32 - 1",
    spec({ process: { cwd: "/", args: ["a"], user: { uid: 2 ** 32 - 1 } } }),
    /process\.user\.uid: must be an id from 0/,
  ],
  ["an empty root path", spec({ root: { path: "" } }), /root\.path: must be a non-empty string/],
  [
    "a limit twice",
    spec({
      process: { cwd: "/", args: ["a"], rlimits: Array(2).fill({ type: "RLIMIT_CPU", hard: 1, soft: 1 }) },
    }),
    /rlimits\[1\]: RLIMIT_CPU is set twice/,
  ],
])("%s is refused by its path", (_what, text, message) => {
  expect(() => parseSpec(text)).toThrow(message);
});

test("an unlimited resource, 2^64 - 1 in the file, is -1", () => {
  const text = `{"args":["a"],"cwd":"/","rlimits":[{"type":"RLIMIT_CORE","hard":18446744073709551615,"soft":0}]}`;
  expect(parseProcess(text).rlimits).toEqual([{ type: "RLIMIT_CORE", hard: -1, soft: 0 }]);
});

test.each([0, -1, 1.5, 2147484])("a hook that may take %d seconds is refused", (timeout) => {
  const text = spec({ hooks: { prestart: [{ path: "/bin/h", timeout }] } });
  expect(() => parseSpec(text)).toThrow("hooks.prestart[0].timeout: must be a number of seconds from 1");
});
