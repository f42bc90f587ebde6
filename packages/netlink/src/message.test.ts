import { expect, test } from "vitest";
import {
  attribute,
  concat,
  encodeMessage,
  NLM_F,
  nested,
  Reply,
  textAttribute,
  u32Attribute,
} from "./message.ts";

test("a message has a header, and its attributes are padded to four bytes", () => {
  const message = encodeMessage(16, NLM_F.REQUEST, 7, new Uint8Array(4), [textAttribute(3, "eth0")]);
  expect([...message]).toEqual([
    ...[32, 0, 0, 0, 16, 0, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0],
    ...[0, 0, 0, 0],
    ...[9, 0, 3, 0, 101, 116, 104, 48, 0, 0, 0, 0],
  ]);
});

test("a reply's attributes are found by type, nested ones inside", () => {
  const body = concat([
    Uint8Array.of(1, 2, 0, 0),
    nested(18, [textAttribute(1, "veth")]),
    u32Attribute(4, 1500),
    // The flag "nested" is no part of a type.
    attribute(0x8005, Uint8Array.of(9)),
  ]);
  const reply = new Reply("link", body, 4);
  expect([reply.u8(1), reply.u16(0), reply.u32(0)]).toEqual([2, 513, 513]);
  expect(reply.nested(18)?.text(1)).toBe("veth");
  expect(reply.number(4)).toBe(1500);
  expect([...(reply.bytes(5) ?? [])]).toEqual([9]);
  expect([reply.has(6), reply.number(6), reply.text(6), reply.nested(6)]).toEqual([
    false,
    undefined,
    "",
    undefined,
  ]);
});

test.each([
  ["shorter than its fixed part", [1, 2], /2 bytes, not 4 or more/],
  [
    "with an attribute that ends behind it",
    [0, 0, 0, 0, 12, 0, 1, 0, 1],
    /an attribute of 12 bytes at 0 of 5/,
  ],
  ["with an attribute that has no length", [0, 0, 0, 0, 0, 0, 1, 0], /an attribute of 0 bytes/],
])("a reply %s is refused", (_, bytes, why) => {
  expect(() => new Reply("link", Uint8Array.from(bytes), 4)).toThrow(why);
});

test("a number of another size is refused", () => {
  const reply = new Reply("link", attribute(4, Uint8Array.of(1, 2)), 0);
  expect(() => reply.number(4)).toThrow("netlink: link: attribute 4 has 2 bytes, not 4");
});

test("whatever bytes a reply has, it is read or refused, never read beyond", () => {
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 48271) % 0x7fffffff;
    return seed % below;
  };
  for (let run = 0; run < 2000; run++) {
    const body = Uint8Array.from({ length: random(64) }, () => random(run % 2 === 0 ? 256 : 12));
    try {
      new Reply("link", body, 16).nested(18)?.text(1);
    } catch (error) {
      expect(String(error)).toContain("netlink: link: ");
    }
  }
});
