import { type Ops, SysError, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { VmConfig } from "../hypervisor/hypervisor.ts";
import { nodeFiles } from "../testing/node-files.ts";
import { identityOfFile, templateKey } from "./template-key.ts";

const STAT = { dev: 1, ino: 2, mode: 0o100644, nlink: 1, uid: 0, gid: 0, rdev: 0, size: 3, blocks: 8 };
let files: Record<string, ReturnType<Ops["stat"]>>;
let bootId: string;

beforeEach(() => {
  bootId = "boot-1";
  files = Object.fromEntries(
    ["/qemu", "/kernel", "/initrd"].map((path) => [path, { ...STAT, mtimeMs: 4, ctimeMs: 5 }]),
  );
  setOps(
    nodeFiles({
      readFile: () => new TextEncoder().encode(bootId),
      stat: (path) => {
        const stat = files[path];
        if (stat === undefined) throw new SysError("ENOENT", "stat", path);
        return stat;
      },
    }),
  );
});
afterEach(() => setOps(undefined));

const vmm: VmConfig = {
  vcpus: 1,
  maxVcpus: 4,
  memoryMiB: 256,
  maxMemoryMiB: 4096,
  memorySlots: 10,
  machineType: "q35",
  kernelParams: ["a=1"],
  cpuFeatures: [],
  memory: "anonymous",
  memoryFile: "/memory/guest",
  entropySource: "/dev/urandom",
  shareDirectory: undefined,
  shareQueueSize: 1024,
  reclaimsMemory: false,
  accelerator: "kvm",
  tscKhz: 2_000_000,
  debug: false,
};

function key(more: Partial<VmConfig> = {}, channel = "vsock"): string {
  const identities = Object.keys(files).map((path) => [path, identityOfFile(path)]);
  return templateKey({ ...vmm, ...more }, channel, Object.fromEntries(identities));
}

/** As an upgrade does it: another file by the same name. */
function change(path: string, more: Partial<ReturnType<Ops["stat"]>>): void {
  files = { ...files, [path]: { ...STAT, mtimeMs: 4, ctimeMs: 5, ...more } };
}

test("a key is 16 hex digits, and the same for the same machine", () => {
  expect(key()).toMatch(/^[0-9a-f]{16}$/);
  expect(key({ kernelParams: ["a=1"] })).toBe(key());
});

test.each([
  { vcpus: 2 },
  { maxVcpus: 8 },
  { memoryMiB: 512 },
  { maxMemoryMiB: 8192 },
  { memorySlots: 0 },
  { machineType: "pc" },
  { kernelParams: ["a=2"] },
  { kernelParams: ["a=1", "quiet"] },
  { cpuFeatures: ["pmu=off"] },
  { entropySource: "/dev/hwrng" },
  { shareQueueSize: 64 },
  { reclaimsMemory: true },
  { accelerator: "tcg" as const },
  { debug: true },
])("a machine with %j has another template", (more) => {
  expect(key(more)).not.toBe(key());
});

test("the frequency of the host's time-stamp counter, which is measured anew each time, does not matter", () => {
  expect(key({ tscKhz: 2_000_001 })).toBe(key());
  expect(key({ tscKhz: undefined })).toBe(key());
});

test("the agent's channel, which is a device, does", () => {
  expect(key({}, "virtio-serial")).not.toBe(key());
});

test("after the host has booted nothing of before is of use", () => {
  const before = key();
  bootId = "boot-2";
  expect(key()).not.toBe(before);
});

test.each([
  // Written in place, with its old time put back.
  ["/kernel", { ctimeMs: 5.0001 }],
  ["/kernel", { mtimeMs: 6 }],
  ["/initrd", { size: 4 }],
  ["/qemu", { ino: 9 }],
  ["/qemu", { dev: 9 }],
])("%s with %j is another file, and another template's", (path, more) => {
  const before = key();
  change(path, more);
  expect(key()).not.toBe(before);
});

test("a file that was only looked at, or linked to, is the same", () => {
  const before = identityOfFile("/kernel");
  change("/kernel", { nlink: 2 });
  expect(identityOfFile("/kernel")).toBe(before);
});

test("one more file, of firmware, is another template's", () => {
  const before = key();
  change("/firmware", {});
  expect(key()).not.toBe(before);
});

test("a file that is not there is named", () => {
  expect(() => identityOfFile("/none")).toThrow(
    "cannot look at what a template is made from: stat /none: ENOENT",
  );
});
