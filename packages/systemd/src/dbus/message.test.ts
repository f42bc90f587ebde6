import { KataError } from "@kata-containers/sys";
import { expect, test } from "vitest";
import { decodeMessage, encodeCall, messageLength } from "./message.ts";
import { Reader } from "./reader.ts";
import type { Value } from "./value.ts";
import { Writer } from "./writer.ts";

/** What jeepney 0.9, an independent implementation, makes of the call below. */
const ORACLE =
  "6c010001b800000003000000b600000001016f00190000002f6f72672f667265656465736b746f702f73797374656d64310000000000000002017300200000006f72672e667265656465736b746f702e73797374656d64312e4d616e616765720000000000000000030173001200000053746172745472616e7369656e74556e697400000000000006017300180000006f72672e667265656465736b746f702e73797374656d6431000000000000000008016700107373612873762961287361287376292900000009000000612d622e73636f7065000000040000006661696c000000009200000005000000536c696365000173000000000c00000073797374656d2e736c696365000000000000000004000000504944730002617500000000080000000700000008000000000000000800000044656c6567617465000162000100000000000000090000004d656d6f72794d617800017400000000000000000000000000000080010000005800026179000000020000000102000000000000";

const BODY: readonly Value[] = [
  "a-b.scope",
  "fail",
  [
    ["Slice", { type: "s", value: "system.slice" }],
    ["PIDs", { type: "au", value: [7, 8] }],
    ["Delegate", { type: "b", value: true }],
    ["MemoryMax", { type: "t", value: 2n ** 63n }],
    ["X", { type: "ay", value: Uint8Array.of(1, 2) }],
  ],
  [],
];

const encoded = encodeCall(3, {
  destination: "org.freedesktop.systemd1",
  path: "/org/freedesktop/systemd1",
  interface: "org.freedesktop.systemd1.Manager",
  member: "StartTransientUnit",
  signature: "ssa(sv)a(sa(sv))",
  body: BODY,
});

test("a call is encoded as another implementation encodes it, byte by byte", () => {
  expect(Buffer.from(encoded).toString("hex")).toBe(ORACLE);
});

test("a message's length is told by its first 16 bytes, and its values come back", () => {
  expect(messageLength(encoded.subarray(0, 16))).toBe(encoded.length);
  expect(decodeMessage(encoded)).toEqual({
    type: 1,
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
    member: "StartTransientUnit",
    body: BODY,
  });
});

test.each<[string, Value]>([
  ["y", 255],
  ["n", -32768],
  ["q", 65535],
  ["i", -1],
  ["u", 0xffff_ffff],
  ["x", -(2n ** 63n)],
  ["t", 2n ** 64n - 1n],
  ["d", -0.5],
  ["s", "Größe ✓"],
  ["g", "a{sv}"],
  ["(yx)", [1, 2n]],
  [
    "a{sv}",
    [
      ["a", { type: "i", value: 1 }],
      ["b", { type: "v", value: { type: "s", value: "" } }],
    ],
  ],
  ["aas", [["a"], []]],
])("a value of type %s comes back", (signature, value) => {
  const writer = new Writer();
  // An odd start: what follows is aligned.
  writer.write(`y${signature}`, [1, value]);
  expect(new Reader(writer.bytes).read(`y${signature}`)).toEqual([1, value]);
});

test("a string longer than the buffer moves nothing to the wrong place", () => {
  const writer = new Writer();
  writer.write("ysu", [1, "x".repeat(10_000), 7]);
  expect(new Reader(writer.bytes).read("ysu")).toEqual([1, "x".repeat(10_000), 7]);
});

test.each<[string, Value]>([
  ["y", 256],
  ["u", -1],
  ["u", 1.5],
  ["i", 2 ** 31],
  ["t", -1n],
  ["s", 1],
  ["s", "a\0b"],
  ["b", 1],
  ["v", "s"],
  ["(ss)", ["a"]],
  ["as", "a"],
  ["a{vs}", []],
  ["a", []],
  ["()", []],
  ["z", 1],
  [`${"a".repeat(70)}y`, []],
])("a value or signature of type %s that cannot be is refused", (signature, value) => {
  expect(() => new Writer().write(signature, [value])).toThrow(/^D-Bus: /);
});

test("a message that is changed anywhere, or cut, is read or refused, never beyond its end", () => {
  for (let at = 0; at < encoded.length; at++) {
    for (const byte of [0, 1, 0x7f, 0xff]) {
      const changed = encoded.slice();
      changed[at] = byte;
      expectReadOrRefused(changed);
    }
    expectReadOrRefused(encoded.slice(0, at));
  }
});

function expectReadOrRefused(bytes: Uint8Array): void {
  try {
    decodeMessage(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(KataError);
  }
}

test("variants in variants without end are refused", () => {
  const nested = Buffer.from("\x01v\0".repeat(100));
  expect(() => new Reader(nested).read("v")).toThrow(/variants in variants/);
});
