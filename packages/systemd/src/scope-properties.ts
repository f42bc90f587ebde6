import type { BlockIo, Resources } from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";
import type { Value, Variant } from "./dbus/value.ts";
import { parseVariant } from "./variant-text.ts";

/** A unit's property with its value (org.freedesktop.systemd1(5)). */
export type Property = readonly [name: string, value: Variant];

/** What every property of an amount is when there is no limit. */
const INFINITY = 0xffff_ffff_ffff_ffffn;
/** Microseconds: the kernel's own period of cpu.max. */
const DEFAULT_PERIOD = 100_000;
const SECOND_US = 1_000_000;
/** systemd rounds a quota to percents of a CPU. */
const PERCENT_US = SECOND_US / 100;

const property = (name: string, type: string, value: Value): Property => [name, { type, value }];

/** How weights of linux.resources are spelled by cgroup v2: cpu.weight for cpu.shares, io.weight for blockIO.weight. */
export type Weights = {
  readonly ofShares: (shares: number) => number;
  readonly ofBlockIo: (weight: number) => number;
};

/**
 * The limits of linux.resources that systemd has properties for on cgroup v2, from its release 244 on. It would take away, at its next
 * reload, those that only the cgroup's files have.
 */
export function limitProperties(
  { memory = {}, cpu = {}, pids, blockIO = {} }: Resources,
  weights: Weights,
): Property[] {
  const { limit = 0, swap = 0 } = memory;
  // The specification's counts memory too, and no swap at all is a limit of 0.
  const swapMax = swap < 0 ? swap : swap - Math.max(limit, 0);
  return [
    ...amountOf("MemoryMax", memory.limit),
    ...amountOf("MemoryLow", memory.reservation),
    ...(swap === 0 ? [] : [property("MemorySwapMax", "t", amount(swapMax))]),
    ...(cpu.shares ? amountOf("CPUWeight", weights.ofShares(cpu.shares)) : []),
    ...quotaProperties(cpu),
    ...amountOf("TasksMax", pids?.limit),
    ...bitsProperty("AllowedCPUs", cpu.cpus),
    ...bitsProperty("AllowedMemoryNodes", cpu.mems),
    ...blockIoProperties(blockIO, weights),
  ];
}

/**
 * The same on cgroup v1, also beside a v2 that has no controllers (hybrid): the properties by which systemd sets what v1's files count in. It
 * has none of swap, of a reservation and of cpusets there, and takes none of these away.
 */
export function limitPropertiesV1({ memory = {}, cpu = {}, pids, blockIO = {} }: Resources): Property[] {
  return [
    ...amountOf("MemoryLimit", memory.limit),
    ...amountOf("CPUShares", cpu.shares),
    ...quotaProperties(cpu),
    ...amountOf("TasksMax", pids?.limit),
    ...amountOf("BlockIOWeight", blockIO.weight),
  ];
}

/** None for what is 0 or not there, which leaves it as it is. */
function amountOf(name: string, value = 0): Property[] {
  return value === 0 ? [] : [property(name, "t", amount(value))];
}

function quotaProperties({ quota = 0, period = 0 }: { quota?: number; period?: number }): Property[] {
  if (quota === 0 && period === 0) return [];
  const each = period || DEFAULT_PERIOD;
  const perSecond = PERCENT_US * Math.ceil((quota * SECOND_US) / each / PERCENT_US);
  return [
    ...amountOf("CPUQuotaPerSecUSec", quota > 0 ? perSecond : -1),
    ...amountOf("CPUQuotaPeriodUSec", each),
  ];
}

/** Lists of numbers and ranges, cpuset(7); what is none the kernel will refuse, when it is written to the cgroup's file. */
const LIST = /^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*$/;

function bitsProperty(name: string, list = ""): Property[] {
  return LIST.test(list) ? [property(name, "ay", bitsOf(list))] : [];
}

/** Such a list as systemd has it: the bit of each number, the lowest bits in the first byte. */
function bitsOf(list: string): Uint8Array {
  const ranges = list.split(",").map((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return { first, last };
  });
  const bytes = new Uint8Array(1 + (Math.max(...ranges.map(({ last }) => last)) >> 3));
  for (const { first, last } of ranges)
    for (let bit = first; bit <= last; bit++) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7));
  return bytes;
}

const THROTTLES = [
  ["IOReadBandwidthMax", "throttleReadBpsDevice"],
  ["IOWriteBandwidthMax", "throttleWriteBpsDevice"],
  ["IOReadIOPSMax", "throttleReadIOPSDevice"],
  ["IOWriteIOPSMax", "throttleWriteIOPSDevice"],
] as const;

function blockIoProperties(blockIo: BlockIo, { ofBlockIo }: Weights): Property[] {
  const { weight, weightDevice = [] } = blockIo;
  const devices = weightDevice.flatMap(({ major, minor, weight }) =>
    weight ? [[nodeOf(major, minor), amount(ofBlockIo(weight))]] : [],
  );
  return [
    ...(weight ? [property("IOWeight", "t", amount(ofBlockIo(weight)))] : []),
    ...(devices.length === 0 ? [] : [property("IODeviceWeight", "a(st)", devices)]),
    ...THROTTLES.flatMap(([name, key]) => {
      const rates = (blockIo[key] ?? []).map(({ major, minor, rate }) => [
        nodeOf(major, minor),
        amount(rate || -1),
      ]);
      return rates.length === 0 ? [] : [property(name, "a(st)", rates)];
    }),
  ];
}

/** A block device by its numbers, as udev has it. */
function nodeOf(major: number, minor: number): string {
  return `/dev/block/${major}:${minor}`;
}

/** Prefix of annotations that name systemd's own properties. */
const PROPERTY = "org.systemd.property.";

/** What makes the scope the container's: nobody else is moved in, nor is it elsewhere. */
const RESERVED = [
  "PIDs",
  "PIDFDs",
  "Slice",
  "Delegate",
  "DelegateControllers",
  "DelegateSubgroup",
  "Controller",
];
/** What says how a scope ends and is ordered, and nothing of other units or of the host: what CRI-O sets is among it. */
export const HARMLESS_PROPERTIES: readonly string[] = [
  ...["TimeoutStopUSec", "TimeoutStopSec", "RuntimeMaxUSec", "RuntimeMaxSec", "KillMode", "KillSignal"],
  ...["SendSIGKILL", "SendSIGHUP", "CollectMode", "DefaultDependencies", "After", "Before", "Description"],
];
/** A time that is given in seconds; systemd has it in microseconds, as `...USec`. */
const SECONDS = /^(.*[a-z])Sec$/;

/**
 * Properties of the scope that annotations give, in runc's way: `org.systemd.property.TimeoutStopUSec: "uint64 10000000"`, or
 * `org.systemd.property.TimeoutStopSec: "10"`.
 * @param allowed the names that may be given; undefined: all but the runtime's own
 * @throws KataError InvalidArgument for what is no name or no value (see {@link parseVariant}), and for those that may not be given
 */
export function annotatedProperties(
  annotations: Readonly<Record<string, string>> = {},
  allowed?: readonly string[],
): Property[] {
  return Object.entries(annotations).flatMap(([key, text]) => {
    if (!key.startsWith(PROPERTY)) return [];
    const name = key.slice(PROPERTY.length);
    try {
      return [annotatedProperty(name, text, allowed)];
    } catch (error) {
      throw KataError.from(error, `annotations: ${key}`);
    }
  });
}

function annotatedProperty(name: string, text: string, allowed: readonly string[] | undefined): Property {
  if (!/^[A-Za-z]{3,}$/.test(name))
    throw new KataError("InvalidArgument", `${JSON.stringify(name)} is no name of a property`);
  if (RESERVED.includes(name)) throw new KataError("InvalidArgument", "is the runtime's to set");
  if (allowed?.includes(name) === false)
    throw new KataError("InvalidArgument", `not of a sandbox's scope: only ${allowed.join(", ")}`);
  const variant = parseVariant(text);
  const inSeconds = SECONDS.exec(name)?.[1];
  return inSeconds === undefined ? [name, variant] : property(`${inSeconds}USec`, "t", microseconds(variant));
}

function microseconds({ value }: Variant): bigint {
  if (typeof value === "bigint" && value >= 0n) return value * BigInt(SECOND_US);
  if (typeof value === "number" && value >= 0) return BigInt(Math.round(value * SECOND_US));
  throw new KataError("InvalidArgument", "expected seconds");
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
