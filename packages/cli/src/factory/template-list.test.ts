import { expect, it } from "vitest";
import { type FactoryStatus, renderAge, renderStatus } from "./template-list.ts";

const template = {
  key: "0123456789abcdef",
  state: "current",
  vcpus: 1,
  memoryMiB: 256,
  bytesOnDisk: 35_282_944,
  created: "2026-01-02T03:04:05.000Z",
  ageSeconds: 90,
} as const;
const status: FactoryStatus = { enabled: true, on: true, path: "/t", templates: [template] };

it("begins with upstream's line", () => {
  const off = { ...status, on: false, templates: [] };
  expect(renderStatus(off)).toBe("vm factory is off\n");
  expect(renderStatus({ ...off, enabled: false })).toBe("vm factory not enabled\n");
});

it("lists what is there, also when the current one is not", () => {
  const stale = { ...template, key: "00000000000000aa", state: "stale", ageSeconds: 200_000 } as const;
  expect(renderStatus({ ...status, templates: [template, stale] })).toBe(
    "vm factory is on\n" +
      "TEMPLATE           STATE       VCPUS       MEMORY      ON DISK     AGE\n" +
      "0123456789abcdef   current     1           256 MiB     34 MiB      90 s\n" +
      "00000000000000aa   stale       1           256 MiB     34 MiB      2 days\n",
  );
  expect(renderStatus({ ...status, on: false, templates: [stale] })).toMatch(/^vm factory is off\nTEMPLATE/);
});

it("lists what waits in the cache, with what each costs, in upstream's lines", () => {
  const vm = { pid: 12, vcpus: 1, memoryMiB: 256, proportionalMemoryBytes: 113 * 2 ** 20 - 1 };
  expect(renderStatus({ ...status, cache: { pid: 7, vms: [vm] }, templates: [] })).toBe(
    "vm factory is on\nVM cache server pid = 7\nVM pid = 12 Cpu = 1 Memory = 256MiB Cost = 113MiB\n",
  );
});

it.each([
  [0, "0 s"],
  [119, "119 s"],
  [120, "2 min"],
  [7_199, "119 min"],
  [7_200, "2 h"],
  [172_799, "47 h"],
  [172_800, "2 days"],
])("an age of %i s is %s", (seconds, text) => {
  expect(renderAge(seconds)).toBe(text);
});
