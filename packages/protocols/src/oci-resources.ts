import type * as oci from "@kata-containers/oci";
import type { Init } from "./codec.ts";
import type * as grpc from "./gen/oci.gen.ts";
import { given, numberAtMost, numberOrNone } from "./oci-values.ts";

/** In a device rule, on the wire: every number. A missing number in JSON says the same. */
const ANY_NUMBER = -1;

/** The resources of a spec, or of UpdateContainer, as the agent's protocol carries them. */
export function resourcesToGrpc(resources: oci.Resources): Init<grpc.LinuxResources> {
  const { memory, cpu, pids, blockIO, network } = resources;
  return {
    Devices: resources.devices?.map((rule) => ({
      Allow: rule.allow,
      Type: rule.type,
      Major: rule.major ?? ANY_NUMBER,
      Minor: rule.minor ?? ANY_NUMBER,
      Access: rule.access,
    })),
    Memory: memory && {
      Limit: BigInt(memory.limit ?? 0),
      Reservation: BigInt(memory.reservation ?? 0),
      Swap: BigInt(memory.swap ?? 0),
      Kernel: BigInt(memory.kernel ?? 0),
      KernelTCP: BigInt(memory.kernelTCP ?? 0),
      Swappiness: BigInt(Math.max(0, memory.swappiness ?? 0)),
      DisableOOMKiller: memory.disableOOMKiller,
    },
    CPU: cpu && {
      Shares: cpu.shares,
      Quota: cpu.quota,
      Period: cpu.period,
      RealtimeRuntime: cpu.realtimeRuntime,
      RealtimePeriod: cpu.realtimePeriod,
      Cpus: cpu.cpus,
      Mems: cpu.mems,
    },
    Pids: pids && { Limit: pids.limit },
    BlockIO: blockIO && blockIoToGrpc(blockIO),
    HugepageLimits: resources.hugepageLimits?.map((one) => ({
      Pagesize: one.pageSize,
      Limit: BigInt(one.limit),
    })),
    Network: network && {
      ClassID: network.classID,
      Priorities: network.priorities?.map((one) => ({ Name: one.name, Priority: one.priority })),
    },
  };
}

export function grpcToResources(message: grpc.LinuxResources): oci.Resources {
  const { Memory: memory, CPU: cpu, Pids: pids, BlockIO: blockIO, Network: network } = message;
  return given({
    devices: message.Devices.map(grpcToRule),
    memory: memory && grpcToMemory(memory),
    cpu:
      cpu &&
      given({
        shares: cpu.Shares,
        quota: cpu.Quota,
        period: cpu.Period,
        realtimeRuntime: cpu.RealtimeRuntime,
        realtimePeriod: cpu.RealtimePeriod,
        cpus: cpu.Cpus,
        mems: cpu.Mems,
      }),
    pids: pids && { limit: pids.Limit },
    blockIO: blockIO && grpcToBlockIo(blockIO),
    hugepageLimits: message.HugepageLimits.map((one) => ({
      pageSize: one.Pagesize,
      limit: numberAtMost(one.Limit),
    })),
    network:
      network &&
      given({
        classID: network.ClassID,
        priorities: network.Priorities.map((one) => ({ name: one.Name, priority: one.Priority })),
      }),
  });
}

function grpcToRule(message: grpc.LinuxDeviceCgroup): oci.DeviceRule {
  // Senders that know no "every number" leave 0 in a rule for every device.
  const all = message.Type === "" || message.Type === "a";
  const number = (value: number) => value === ANY_NUMBER || (all && value === 0);
  return {
    allow: message.Allow,
    ...given({ type: message.Type }),
    ...(number(message.Major) ? {} : { major: message.Major }),
    ...(number(message.Minor) ? {} : { minor: message.Minor }),
    ...given({ access: message.Access }),
  };
}

function grpcToMemory(message: grpc.LinuxMemory): oci.MemoryLimits {
  const swappiness = numberOrNone(message.Swappiness);
  return given({
    limit: numberOrNone(message.Limit),
    reservation: numberOrNone(message.Reservation),
    swap: numberOrNone(message.Swap),
    kernel: numberOrNone(message.Kernel),
    kernelTCP: numberOrNone(message.KernelTCP),
    swappiness: swappiness < 0 ? undefined : swappiness,
    disableOOMKiller: message.DisableOOMKiller,
  });
}

function blockIoToGrpc(blockIO: oci.BlockIo): Init<grpc.LinuxBlockIO> {
  const throttle = (list: readonly oci.ThrottleDevice[] | undefined) =>
    list?.map((one) => ({ Major: one.major, Minor: one.minor, Rate: BigInt(one.rate) }));
  return {
    Weight: blockIO.weight,
    LeafWeight: blockIO.leafWeight,
    WeightDevice: blockIO.weightDevice?.map((one) => ({
      Major: one.major,
      Minor: one.minor,
      Weight: one.weight,
      LeafWeight: one.leafWeight,
    })),
    ThrottleReadBpsDevice: throttle(blockIO.throttleReadBpsDevice),
    ThrottleWriteBpsDevice: throttle(blockIO.throttleWriteBpsDevice),
    ThrottleReadIOPSDevice: throttle(blockIO.throttleReadIOPSDevice),
    ThrottleWriteIOPSDevice: throttle(blockIO.throttleWriteIOPSDevice),
  };
}

function grpcToBlockIo(message: grpc.LinuxBlockIO): oci.BlockIo {
  const throttle = (list: readonly grpc.LinuxThrottleDevice[]) =>
    list.map((one) => ({ major: one.Major, minor: one.Minor, rate: numberAtMost(one.Rate) }));
  return given({
    weight: message.Weight,
    leafWeight: message.LeafWeight,
    weightDevice: message.WeightDevice.map((one) => ({
      major: one.Major,
      minor: one.Minor,
      ...given({ weight: one.Weight, leafWeight: one.LeafWeight }),
    })),
    throttleReadBpsDevice: throttle(message.ThrottleReadBpsDevice),
    throttleWriteBpsDevice: throttle(message.ThrottleWriteBpsDevice),
    throttleReadIOPSDevice: throttle(message.ThrottleReadIOPSDevice),
    throttleWriteIOPSDevice: throttle(message.ThrottleWriteIOPSDevice),
  });
}
