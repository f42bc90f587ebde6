import type { Seccomp } from "@kata-containers/oci";
import { expect, test } from "vitest";
import { compileSeccomp } from "./index.ts";

const ALLOW = { defaultAction: "SCMP_ACT_ALLOW" };
const arg = { index: 0, value: 1, op: "SCMP_CMP_EQ" };

function rule(changes: object, action = "SCMP_ACT_ERRNO"): Seccomp {
  return { ...ALLOW, syscalls: [{ names: ["read"], action, ...changes }] };
}

function compile(seccomp: Seccomp) {
  return () => compileSeccomp(seccomp, "x86_64");
}

test.each<[string, Seccomp, string]>([
  [
    "an unknown default",
    { defaultAction: "SCMP_ACT_NO" },
    '.defaultAction: "SCMP_ACT_NO" is not one of SCMP_ACT_KILL, ',
  ],
  ["an inherited name", { defaultAction: "constructor" }, '.defaultAction: "constructor" is not one of '],
  [
    "notify as the default",
    { defaultAction: "SCMP_ACT_NOTIFY" },
    ".defaultAction: SCMP_ACT_NOTIFY cannot be the default",
  ],
  [
    "an errno that the default cannot carry",
    { ...ALLOW, defaultErrnoRet: 1 },
    ".defaultErrnoRet: SCMP_ACT_ALLOW takes no errno",
  ],
  [
    "an unknown architecture",
    { ...ALLOW, architectures: ["SCMP_ARCH_VAX"] },
    '.architectures[0]: "SCMP_ARCH_VAX" is not one of ',
  ],
  ["an unknown flag", { ...ALLOW, flags: ["X"] }, '.flags[0]: "X" is not one of '],
  [
    "waiting for no listener",
    { ...ALLOW, flags: ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"] },
    ".flags[0]: needs a rule with SCMP_ACT_NOTIFY",
  ],
  ["an unknown action", rule({}, "SCMP_ACT_X"), '.syscalls[0].action: "SCMP_ACT_X" is not one of '],
  [
    "an errno past the kernel's last",
    rule({ errnoRet: 4096 }),
    ".syscalls[0].errnoRet: must be an integer from 0 to 4095",
  ],
  [
    "an errno without a use",
    rule({ errnoRet: 1 }, "SCMP_ACT_KILL"),
    ".syscalls[0].errnoRet: SCMP_ACT_KILL takes no errno",
  ],
  ["an empty name", rule({ names: ["read", ""] }), ".syscalls[0].names[1]: must not be empty"],
  [
    "a seventh argument",
    rule({ args: [{ ...arg, index: 6 }] }),
    ".syscalls[0].args[0].index: must be an integer from 0 to 5",
  ],
  [
    "an unknown operator",
    rule({ args: [arg, { ...arg, op: "==" }] }),
    '.syscalls[0].args[1].op: "==" is not one of SCMP_CMP_NE, ',
  ],
  [
    "a negative value",
    rule({ args: [{ ...arg, value: -1 }] }),
    ".syscalls[0].args[0].value: must be an unsigned 64-bit integer",
  ],
  [
    "a value of 65 bits",
    rule({ args: [{ ...arg, valueTwo: 1n << 64n }] }),
    ".syscalls[0].args[0].valueTwo: must be an unsigned 64-bit integer",
  ],
  [
    "a rounded value",
    rule({ args: [{ ...arg, value: 2 ** 60 }] }),
    ".syscalls[0].args[0].value: must be an integer; past 2^53 - 1 a bigint",
  ],
  [
    "a listener nowhere",
    rule({}, "SCMP_ACT_NOTIFY"),
    ".listenerPath: must be set: syscalls[0].action is SCMP_ACT_NOTIFY",
  ],
  [
    "metadata for nobody",
    { ...ALLOW, listenerMetadata: "x" },
    ".listenerMetadata: must not be set without listenerPath",
  ],
  [
    "write left to the listener",
    { ...rule({ names: ["read", "write"] }, "SCMP_ACT_NOTIFY"), listenerPath: "/l" },
    ".syscalls[0].names: SCMP_ACT_NOTIFY cannot be used for write",
  ],
  [
    "two actions under the same conditions",
    {
      ...ALLOW,
      syscalls: [
        { names: ["read"], action: "SCMP_ACT_TRAP", args: [arg] },
        { names: ["write", "read"], action: "SCMP_ACT_KILL", args: [arg] },
      ],
    },
    ".syscalls[1]: its conditions are among those of linux.seccomp.syscalls[0], which has another action",
  ],
])("%s is refused by its place in the document", (_, seccomp, message) => {
  expect(compile(seccomp)).toThrow(`config.json: linux.seccomp${message}`);
  expect(compile(seccomp)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
});

test("a profile whose filter the kernel would not take is refused with both lengths", () => {
  const args = Array.from({ length: 4000 }, (_, value) => ({ ...arg, value }));
  expect(compile(rule({ args }))).toThrow(
    /^config.json: linux.seccomp: the filter has \d+ instructions and the kernel takes 4096; use fewer rules$/,
  );
  expect(compile(rule({ args: [...args, ...args] }))).toThrow("no filter holds them");
});

test("flags are those of seccomp(2), SPEC_ALLOW when none are named", () => {
  const flags = (...names: string[]) => compileSeccomp({ ...ALLOW, flags: names }, "x86_64").flags;
  expect(compileSeccomp(ALLOW, "x86_64").flags).toBe(4);
  expect(flags()).toBe(0);
  expect(flags("SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG")).toBe(2);
  expect(flags("SECCOMP_FILTER_FLAG_SPEC_ALLOW")).toBe(4);
});

test("a rule for the listener asks for a listener", () => {
  const seccomp = { ...rule({}, "SCMP_ACT_NOTIFY"), flags: [], listenerPath: "/l", listenerMetadata: "m" };
  expect(compileSeccomp(seccomp, "x86_64")).toMatchObject({ notify: true, flags: 8 });
  const killable = { ...seccomp, flags: ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"] };
  expect(compileSeccomp(killable, "x86_64").flags).toBe(8 | 32);
});

test("names and architectures that the filter cannot have are reported, each once", () => {
  const compiled = compileSeccomp(
    {
      ...rule({ names: ["no_such", "read", "chown32", "no_such"] }),
      architectures: ["SCMP_ARCH_X86", "SCMP_ARCH_S390X"],
    },
    "x86_64",
  );
  expect(compiled.unknownSyscalls).toEqual(["no_such"]);
  expect(compiled.unsupportedArchitectures).toEqual(["SCMP_ARCH_S390X"]);
});
