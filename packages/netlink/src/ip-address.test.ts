import { expect, test } from "vitest";
import { formatAddress, parseAddress, parseLength, parsePrefix, plainPrefix } from "./ip-address.ts";

test.each([
  ["10.1.2.255", [10, 1, 2, 255]],
  ["::", Array(16).fill(0)],
  ["::1", [...Array(15).fill(0), 1]],
  ["fd00::1:0:0:2", [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2]],
  ["2001:db8:0:1:0:1:0:1", [0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]],
  ["fe80::ff:fe00:1", [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1]],
])("%s is read and written", (text, bytes) => {
  expect([...parseAddress(text).bytes]).toEqual(bytes);
  expect(formatAddress(Uint8Array.from(bytes))).toBe(text);
});

test("the other ways to write an IPv6 address are read", () => {
  expect(formatAddress(parseAddress("FD00:0:0:0:0:0:0:1").bytes)).toBe("fd00::1");
  expect(formatAddress(parseAddress("::ffff:10.0.0.1").bytes)).toBe("::ffff:a00:1");
});

test.each([
  "",
  "1.2.3",
  "1.2.3.256",
  "1.2.3.4.5",
  "a.b.c.d",
  ":",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "g::",
  "::12345",
  "1:2:3:4:5:6:7:8:9",
  "fe80::1%eth0",
])("%j is no address", (text) => {
  expect(() => parseAddress(text)).toThrow(/is no IP address/);
});

test("a prefix has a length that fits its family; without one it is a single address", () => {
  expect(parsePrefix("10.0.0.0/8").length).toBe(8);
  expect(parsePrefix("fd00::/64").length).toBe(64);
  expect(parsePrefix("10.0.0.1").length).toBe(32);
  expect(plainPrefix("10.1.2.3/15")).toBe("10.0.0.0/15");
  expect(plainPrefix("FD00::1:0:0:1/65")).toBe("fd00::/65");
  expect(plainPrefix("::1")).toBe("::1/128");
  for (const text of ["10.0.0.0/33", "fd00::/129", "10.0.0.0/", "10.0.0.0/-1"])
    expect(() => parsePrefix(text)).toThrow(/prefix length/);
  expect(() => parseLength("x", 32)).toThrow(/"x" is no prefix length up to 32/);
});
