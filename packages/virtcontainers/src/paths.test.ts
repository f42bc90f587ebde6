import { setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { volumeName } from "./paths.ts";
import { nodeFiles } from "./testing/node-files.ts";

beforeEach(() => setOps(nodeFiles({ random: (count) => new Uint8Array(count).fill(0xab) })));
afterEach(() => setOps(undefined));

test("a volume's name tells the container and the mount", () => {
  expect(volumeName("c1", "/etc/hosts")).toBe("c1-abababababababab-hosts");
  expect(volumeName("c1", "/")).toBe("c1-abababababababab-root");
});

test("it is a file's name however long id and mount are", () => {
  const name = volumeName("i".repeat(255), `/data/${"𝔡".repeat(63)}`);
  expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
});
