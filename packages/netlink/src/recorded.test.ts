import { readFileSync } from "node:fs";
import { join } from "node:path";
import { KataError } from "@kata-containers/sys";
import { expect, test } from "vitest";
import { parseLinkAddress } from "./address.ts";
import { parseLink } from "./link.ts";
import { parseNeighbour } from "./neighbour.ts";
import { parseIngress, parseMark } from "./redirect-messages.ts";
import { parseRoute } from "./route.ts";

const parsers: Readonly<Record<string, (body: Uint8Array) => unknown>> = {
  link: parseLink,
  address: parseLinkAddress,
  route: parseRoute,
  neighbour: parseNeighbour,
  qdisc: parseIngress,
  filter: parseMark,
};

const replies = readFileSync(join(import.meta.dirname, "testing/recorded-replies.txt"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => {
    const [what = "", hex = ""] = line.split(" ");
    return { what, body: Uint8Array.from(Buffer.from(hex, "hex")) };
  });

const parsed = (what: string): unknown[] =>
  replies
    .filter((reply) => reply.what === what)
    .map(({ body }) => parsers[what]?.(body))
    .filter((found) => found !== undefined);

test("a kernel's link is read", () => {
  const [link] = parsed("link");
  expect(link).toMatchObject({
    name: "eth0",
    kind: "veth",
    hardware: 1,
    mtu: 1400,
    mac: "02:00:00:00:00:02",
  });
});

test("its addresses are read", () => {
  const network = { link: 3, permanent: true };
  expect(parsed("address")).toEqual([
    { link: 1, family: 2, address: "127.0.0.1", prefix: 8, permanent: true },
    { ...network, family: 2, address: "10.1.0.2", prefix: 24 },
    { link: 1, family: 10, address: "::1", prefix: 128, permanent: true },
    { ...network, family: 10, address: "fd01::2", prefix: 64 },
  ]);
});

test("its routes are read: those of the main table", () => {
  const plain = { link: 3, scope: 0, metric: 0, onLink: false, mtu: 0, protocol: 3 };
  const kernels = { destination: "10.1.0.0/24", source: "10.1.0.2", scope: 253, protocol: 2 };
  const onLink = { destination: "198.51.100.0/24", gateway: "192.0.2.9", source: "10.1.0.2", onLink: true };
  expect(JSON.parse(JSON.stringify(parsed("route")))).toEqual([
    { ...plain, family: 2, gateway: "10.1.0.1" },
    { ...plain, ...kernels, family: 2 },
    { ...plain, ...onLink, family: 2, metric: 7, mtu: 1300 },
    { ...plain, family: 10, destination: "fd01::/64", metric: 256, protocol: 2 },
    { ...plain, family: 10, destination: "fd02::/48", gateway: "fd01::1", metric: 1024 },
  ]);
});

test("its neighbours are read", () => {
  expect(parsed("neighbour")).toContainEqual({
    family: 2,
    link: 3,
    address: "10.1.0.9",
    mac: "02:00:00:00:00:09",
    state: 0x80,
    flags: 0,
  });
});

test("its qdisc for incoming frames and the mark of a redirection are read", () => {
  expect(parsed("qdisc")).toEqual([3]);
  expect(parsed("filter")).toContain("0123456789abcdef");
});

test("a reply that ends anywhere is read or refused, never read beyond", () => {
  for (const { what, body } of replies) {
    for (let length = 0; length < body.length; length++) {
      try {
        parsers[what]?.(body.slice(0, length));
      } catch (error) {
        expect(error, `${what}, ${length} bytes`).toBeInstanceOf(KataError);
      }
    }
  }
});

test("a reply with any byte another is read or refused", () => {
  for (const { what, body } of replies) {
    for (let at = 0; at < Math.min(body.length, 400); at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const broken = body.slice();
        broken[at] = value;
        try {
          parsers[what]?.(broken);
        } catch (error) {
          expect(error, `${what}, byte ${at}`).toBeInstanceOf(KataError);
        }
      }
    }
  }
});
