import type { BlockIo } from "@kata-containers/oci";
import { invalid, unsupported } from "../refuse.ts";
import { file, isSet, type Setting } from "./setting.ts";

const AT = "linux.resources.blockIO";

/** BFQ's range; blkio.weight's of old kernels was 10 to 1000, which the specification repeats. */
const WEIGHTS = { least: 10, most: 1000 };

/** Weights and throttles. Both versions have weights by whatever the kernel was built with: BFQ, or v2's io.cost. */
export function blockIoSettings(blockIo: BlockIo): Setting[] {
  return [...weightSettings(blockIo), ...throttleSettings(blockIo)];
}

function weightSettings({ weight, leafWeight, weightDevice = [] }: BlockIo): Setting[] {
  if (isSet(leafWeight)) refuseLeafWeight(`${AT}.leafWeight`);
  const devices = weightDevice.flatMap((device, index): Setting[] => {
    const where = `${AT}.weightDevice[${index}]`;
    if (isSet(device.leafWeight)) refuseLeafWeight(`${where}.leafWeight`);
    if (!isSet(device.weight)) return [];
    const value = checkWeight(device.weight, `${where}.weight`);
    const number = `${device.major}:${device.minor}`;
    return [
      {
        where: `${where}.weight`,
        v1Controller: "blkio",
        v2Controller: "io",
        v1: {
          ...file("blkio.bfq.weight_device", `${number} ${value}`),
          or: file("blkio.weight_device", `${number} ${value}`),
        },
        v2: {
          ...file("io.bfq.weight", `${number} ${value}`),
          or: file("io.weight", `${number} ${costWeight(value)}`),
        },
      },
    ];
  });
  if (!isSet(weight)) return devices;
  const value = checkWeight(weight, `${AT}.weight`);
  const all: Setting = {
    where: `${AT}.weight`,
    v1Controller: "blkio",
    v2Controller: "io",
    v1: { ...file("blkio.bfq.weight", value), or: file("blkio.weight", value) },
    v2: { ...file("io.bfq.weight", value), or: file("io.weight", `default ${costWeight(value)}`) },
  };
  return [all, ...devices];
}

function checkWeight(weight: number, where: string): number {
  const { least, most } = WEIGHTS;
  if (weight < least || weight > most) invalid(where, `is not a number from ${least} to ${most}: ${weight}`);
  return weight;
}

function refuseLeafWeight(where: string): never {
  unsupported(where, "a leaf weight (Linux has none since 5.0)");
}

/** [10, 1000] onto io.weight's [1, 10000], as the runtimes agree (opencontainers/cgroups, ConvertBlkIOToIOWeightValue). */
export function costWeight(weight: number): number {
  return 1 + Math.floor(((weight - WEIGHTS.least) * 9999) / (WEIGHTS.most - WEIGHTS.least));
}

const THROTTLES = [
  ["throttleReadBpsDevice", "read_bps", "rbps"],
  ["throttleWriteBpsDevice", "write_bps", "wbps"],
  ["throttleReadIOPSDevice", "read_iops", "riops"],
  ["throttleWriteIOPSDevice", "write_iops", "wiops"],
] as const;

function throttleSettings(blockIo: BlockIo): Setting[] {
  return THROTTLES.flatMap(([key, v1Name, v2Name]) =>
    (blockIo[key] ?? []).map(({ major, minor, rate }, index) => ({
      where: `${AT}.${key}[${index}]`,
      v1Controller: "blkio",
      v2Controller: "io",
      v1: file(`blkio.throttle.${v1Name}_device`, `${major}:${minor} ${rate}`),
      v2: file("io.max", `${major}:${minor} ${v2Name}=${rate === 0 ? "max" : rate}`),
    })),
  );
}
