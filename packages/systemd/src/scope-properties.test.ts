import { expect, test } from "vitest";
import { limitProperties } from "./scope-properties.ts";

const limits = (resources: Parameters<typeof limitProperties>[0]) =>
  Object.fromEntries(
    limitProperties(resources, () => 39).map(([name, { type, value }]) => [name, [type, value]]),
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
