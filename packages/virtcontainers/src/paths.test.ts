import { createHash } from "node:crypto";
import { setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { managementSocketPath, socketPath, volumeName } from "./paths.ts";
import { nodeFiles } from "./testing/node-files.ts";

beforeEach(() => setOps(nodeFiles({ random: (count) => new Uint8Array(count).fill(0xab) })));
afterEach(() => setOps(undefined));

test("the address of a socket fits, and tells one sandbox from another, whatever they are called", () => {
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
  setOps(nodeFiles({ sha256, utf8Encode: (text) => new TextEncoder().encode(text) }));
  const long = `/run/vc/${"r".repeat(200)}`;
  const places = [socketPath, managementSocketPath].flatMap((path) => [
    path(long, "i".repeat(255)),
    path(long, "j"),
  ]);
  for (const place of places) expect(place.length).toBeLessThan(108);
  expect(new Set(places).size).toBe(4);
});

test("a volume's name tells the container and the mount", () => {
  expect(volumeName("c1", "/etc/hosts")).toBe("c1-abababababababab-hosts");
  expect(volumeName("c1", "/")).toBe("c1-abababababababab-root");
});

test("it is a file's name however long id and mount are", () => {
  const name = volumeName("i".repeat(255), `/data/${"𝔡".repeat(63)}`);
  expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
});
