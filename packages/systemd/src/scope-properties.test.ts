import { expect, test } from "vitest";
import {
  annotatedProperties,
  HARMLESS_PROPERTIES,
  limitProperties,
  limitPropertiesV1,
} from "./scope-properties.ts";

const limits = (resources: Parameters<typeof limitProperties>[0]) =>
  Object.fromEntries(
    limitProperties(resources, { ofShares: () => 39, ofBlockIo: (weight) => 10 * weight }).map(
      ([name, { type, value }]) => [name, [type, value]],
    ),
  );

test("limits become the properties that systemd has for them", () => {
  expect(
    limits({
      memory: { limit: 1000, swap: 1500, reservation: 500 },
      cpu: { shares: 1024, quota: 50_000, period: 100_000 },
      pids: { limit: 20 },
    }),
  ).toEqual({
    MemoryMax: ["t", 1000n],
    MemoryLow: ["t", 500n],
    MemorySwapMax: ["t", 500n],
    CPUWeight: ["t", 39n],
    CPUQuotaPerSecUSec: ["t", 500_000n],
    CPUQuotaPeriodUSec: ["t", 100_000n],
    TasksMax: ["t", 20n],
  });
});

test("no limit is infinity, no swap is none, and what is not set is left out", () => {
  const infinity = 2n ** 64n - 1n;
  expect(limits({ memory: { limit: -1, swap: -1 }, pids: { limit: -1 } })).toEqual({
    MemoryMax: ["t", infinity],
    MemorySwapMax: ["t", infinity],
    TasksMax: ["t", infinity],
  });
  expect(limits({ memory: { limit: 7, swap: 7 } })).toEqual({
    MemoryMax: ["t", 7n],
    MemorySwapMax: ["t", 0n],
  });
  expect(
    limits({ memory: { limit: 0 }, cpu: { shares: 0, quota: 0, period: 0 }, pids: { limit: 0 } }),
  ).toEqual({});
  // That there was one before is taken back.
  expect(limits({ cpu: { quota: -1, period: 50_000 } })).toEqual({
    CPUQuotaPerSecUSec: ["t", infinity],
    CPUQuotaPeriodUSec: ["t", 50_000n],
  });
});

test("a quota is rounded up to a percent of a CPU, with the kernel's period when there is none", () => {
  expect(limits({ cpu: { quota: 12_345 } })).toEqual({
    CPUQuotaPerSecUSec: ["t", 130_000n],
    CPUQuotaPeriodUSec: ["t", 100_000n],
  });
});

test("cpusets are bits, the lowest first; devices are named by their numbers, and no rate is infinity", () => {
  const disk = { major: 8, minor: 16 };
  const node = "/dev/block/8:16";
  expect(
    limits({
      cpu: { cpus: "0-2,9", mems: "1" },
      blockIO: {
        weight: 50,
        weightDevice: [{ ...disk, weight: 20 }],
        throttleReadBpsDevice: [{ ...disk, rate: 1024 }],
        throttleWriteIOPSDevice: [{ ...disk, rate: 0 }],
      },
    }),
  ).toEqual({
    AllowedCPUs: ["ay", Uint8Array.of(0b111, 0b10)],
    AllowedMemoryNodes: ["ay", Uint8Array.of(0b10)],
    IOWeight: ["t", 500n],
    IODeviceWeight: ["a(st)", [[node, 200n]]],
    IOReadBandwidthMax: ["a(st)", [[node, 1024n]]],
    IOWriteIOPSMax: ["a(st)", [[node, 2n ** 64n - 1n]]],
  });
  expect(limits({ cpu: { cpus: "0-99999999999", mems: "x" } })).toEqual({});
});

test("annotations give properties of systemd's own, times in seconds too", () => {
  const of = (name: string, text: string) =>
    annotatedProperties({ [`org.systemd.property.${name}`]: text, other: "x" });
  expect(of("TimeoutStopUSec", "uint64 5")).toEqual([["TimeoutStopUSec", { type: "t", value: 5n }]]);
  expect(of("TimeoutStopSec", "10")).toEqual([["TimeoutStopUSec", { type: "t", value: 10_000_000n }]]);
  expect(of("TimeoutStopSec", "0.5")).toEqual([["TimeoutStopUSec", { type: "t", value: 500_000n }]]);
  expect(of("After", "['x.service']")).toEqual([["After", { type: "as", value: ["x.service"] }]]);
  expect(annotatedProperties()).toEqual([]);
});

test("of a sandbox, which whoever starts a pod may annotate, only what concerns no other unit", () => {
  const of = (name: string, text: string) =>
    annotatedProperties({ [`org.systemd.property.${name}`]: text }, HARMLESS_PROPERTIES);
  expect(of("TimeoutStopSec", "10")).toHaveLength(1);
  expect(() => of("Conflicts", "['kubelet.service']")).toThrow(
    "not of a sandbox's scope: only TimeoutStopUSec",
  );
  expect(() => of("SuccessAction", "'poweroff'")).toThrow("not of a sandbox's scope");
});

test.each([
  ["KillMode", "none", `"none" is no value of systemd's`],
  ["TimeoutStopSec", "'10'", "expected seconds"],
  ["TimeoutStopSec", "-1", "expected seconds"],
  ["X", "1", `"X" is no name of a property`],
  ["A.B", "1", `"A.B" is no name of a property`],
  ["PIDs", "@au [1]", "is the runtime's to set"],
])("an annotation org.systemd.property.%s with %s is an error", (name, text, reason) => {
  const key = `org.systemd.property.${name}`;
  expect(() => annotatedProperties({ [key]: text })).toThrow(`annotations: ${key}: ${reason}`);
});

test("on cgroup v1 limits have the properties that count as v1's files do, as far as there are any", () => {
  const properties = limitPropertiesV1({
    memory: { limit: 1000, swap: 1500, reservation: 500 },
    cpu: { shares: 512, quota: -1, cpus: "0" },
    pids: { limit: -1 },
    blockIO: { weight: 300 },
  });
  const infinity = 2n ** 64n - 1n;
  expect(properties.map(([name, { type, value }]) => [name, type, value])).toEqual([
    ["MemoryLimit", "t", 1000n],
    ["CPUShares", "t", 512n],
    ["CPUQuotaPerSecUSec", "t", infinity],
    ["CPUQuotaPeriodUSec", "t", 100_000n],
    ["TasksMax", "t", infinity],
    ["BlockIOWeight", "t", 300n],
  ]);
});
