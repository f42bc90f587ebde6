import type { Resources } from "@kata-containers/oci";
import type { Value } from "./dbus/value.ts";

/** A unit's property with its value (org.freedesktop.systemd1(5)). */
export type Property = readonly [name: string, value: { readonly type: string; readonly value: Value }];

/** What every property of an amount is when there is no limit. */
const INFINITY = 0xffff_ffff_ffff_ffffn;
/** Microseconds: the kernel's own period of cpu.max. */
const DEFAULT_PERIOD = 100_000;
const SECOND_US = 1_000_000;
/** systemd rounds a quota to percents of a CPU. */
const PERCENT_US = SECOND_US / 100;

const property = (name: string, type: string, value: Value): Property => [name, { type, value }];

/**
 * The limits of linux.resources that systemd has properties for. It would take away, at its next reload, those that only the cgroup's
 * files have. `weightOfShares`: cpu.weight for cpu.shares.
 */
export function limitProperties(
  { memory = {}, cpu = {}, pids }: Resources,
  weightOfShares: (shares: number) => number,
): Property[] {
  const properties: Property[] = [];
  const add = (name: string, value: number | undefined) => {
    if (value !== undefined && value !== 0) properties.push(property(name, "t", amount(value)));
  };
  add("MemoryMax", memory.limit);
  add("MemoryLow", memory.reservation);
  const { limit = 0, swap = 0 } = memory;
  // The specification's counts memory too. No swap at all is a limit of 0, which `add` takes for none.
  if (swap !== 0)
    properties.push(property("MemorySwapMax", "t", amount(swap < 0 ? swap : swap - Math.max(limit, 0))));
  if (cpu.shares) add("CPUWeight", weightOfShares(cpu.shares));
  if (cpu.quota || cpu.period) {
    const { quota = 0 } = cpu;
    const period = cpu.period || DEFAULT_PERIOD;
    const perSecond = PERCENT_US * Math.ceil((quota * SECOND_US) / period / PERCENT_US);
    add("CPUQuotaPerSecUSec", quota > 0 ? perSecond : -1);
    add("CPUQuotaPeriodUSec", period);
  }
  add("TasksMax", pids?.limit);
  return properties;
}

function amount(value: number): bigint {
  return value < 0 ? INFINITY : BigInt(value);
}

/** The properties of a scope that is the runtime's to rule: systemd makes it and moves the process in. */
export function scopeProperties(description: string, slice: string, pid: number): Property[] {
  return [
    property("Description", "s", description),
    property("Slice", "s", slice),
    property("PIDs", "au", [pid]),
    property("Delegate", "b", true),
    // Its controllers stay when systemd realizes its neighbours.
    ...["MemoryAccounting", "CPUAccounting", "IOAccounting", "TasksAccounting"].map((name) =>
      property(name, "b", true),
    ),
    // It is not stopped, nor ordered, as the system's own units are.
    property("DefaultDependencies", "b", false),
    property("CollectMode", "s", "inactive-or-failed"),
  ];
}
