import type { HostSize, KataConfig } from "@kata-containers/config";
import { parseCpus } from "@kata-containers/launch";
import { podRole, type Resources, type Spec } from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";

/** What a virtual machine has of the host's. */
export interface VmSize {
  readonly vcpus: number;
  readonly memoryMiB: number;
}

/** What a container may use, by its limits. */
export interface Workload {
  /** Microseconds of CPU time a `period`; 0: no limit. */
  readonly quota: number;
  /** Microseconds. */
  readonly period: number;
  /** The CPUs of its cpuset. */
  readonly cpus: readonly number[];
  /** 0: no limit. */
  readonly memoryBytes: number;
}

/** Of a container without limits. The period is the kernel's default (Documentation/scheduler/sched-bwc.rst). */
export const UNLIMITED: Workload = { quota: 0, period: 100_000, cpus: [], memoryBytes: 0 };

const MIB = 2 ** 20;

/**
 * A container's limits; what `resources` does not speak of, or has as 0, stays as it was.
 * @throws KataError InvalidArgument when its cpuset is none
 */
export function workloadOf(resources: Resources | undefined, before = UNLIMITED): Workload {
  const { quota, period, cpus } = resources?.cpu ?? {};
  const limit = resources?.memory?.limit;
  return {
    // Negative: no limit.
    quota: Math.max(0, quota || before.quota),
    period: period || before.period,
    cpus: cpus ? numbersOf("cpus", cpus) : before.cpus,
    memoryBytes: memoryLimit(limit || before.memoryBytes),
  };
}

/**
 * A cpuset's CPUs or memory nodes.
 * @throws KataError InvalidArgument when it is none
 */
export function numbersOf(name: "cpus" | "mems", list: string): readonly number[] {
  const numbers = parseCpus(list);
  if (numbers !== undefined) return numbers;
  const why = `is no list of numbers as 0-3,7: ${JSON.stringify(list)}`;
  throw new KataError("InvalidArgument", `linux.resources.cpu.${name}: ${why}`);
}

/** What is more than any machine has says "no limit", as the kernel's own value for it (PAGE_COUNTER_MAX). */
function memoryLimit(bytes: number): number {
  return bytes < 0 || bytes >= 2 ** 60 ? 0 : bytes;
}

/**
 * What is known of a new sandbox's containers when its machine boots: its first container's limits, and of a pod those that containerd
 * sums up beforehand (internal/cri/annotations).
 * @throws KataError InvalidArgument for an annotation that is no number
 */
export function firstWorkload({ annotations, linux }: Spec): Workload {
  const own = workloadOf(linux?.resources);
  if (podRole(annotations).kind !== "sandbox") return own;
  const of = (name: string): number => {
    const key = `io.kubernetes.cri.sandbox-${name}`;
    const text = annotations?.[key] ?? "0";
    // A quota of a pod without limits is -1.
    if (!/^-?\d{1,15}$/.test(text))
      throw new KataError("InvalidArgument", `annotation ${key}: ${JSON.stringify(text)} is no number`);
    return Math.max(0, Number(text));
  };
  return {
    quota: of("cpu-quota") || own.quota,
    period: of("cpu-period") || own.period,
    cpus: own.cpus,
    memoryBytes: Math.max(of("memory"), own.memoryBytes),
  };
}

/** The most that a sandbox's machine may have. */
export interface VmLimits extends VmSize {
  /** Who says that of the memory, for an error. */
  readonly memoryBy: string;
}

export function vmLimits({ hypervisor }: KataConfig, host: HostSize): VmLimits {
  const { default_maxvcpus, default_maxmemory } = hypervisor;
  const byConfig = default_maxmemory !== 0 && default_maxmemory < host.memoryMiB;
  return {
    vcpus: default_maxvcpus === 0 ? host.cpus : Math.min(default_maxvcpus, host.cpus),
    memoryMiB: byConfig ? default_maxmemory : host.memoryMiB,
    memoryBy: byConfig ? "default_maxmemory of [hypervisor.qemu]" : "the host's memory",
  };
}

/**
 * As upstream: a machine has what the configuration gives every sandbox, and on top of that what its containers may use. Without any
 * quota it has no fewer vCPUs than their cpusets have CPUs; upstream has the base on top of these too, which could not run.
 * @param warn hears that there are fewer vCPUs than the containers' limits ask for: they are slower, as on a small host
 * @throws KataError InvalidArgument when the memory is more than the machine may have
 */
export function vmSize(
  config: KataConfig,
  host: HostSize,
  workloads: readonly Workload[],
  warn: (warning: string) => void = () => {},
): VmSize {
  const limits = vmLimits(config, host);
  const { default_vcpus, default_memory } = config.hypervisor;
  const base = Math.min(default_vcpus < 0 ? limits.vcpus : Math.max(1, default_vcpus), limits.vcpus);
  const quota = quotaOf(workloads);
  const cpus = new Set(workloads.flatMap((each) => each.cpus)).size;
  const vcpus = quota > 0 ? Math.ceil(base + quota) : Math.max(base, cpus);
  const asked = Math.ceil(workloads.reduce((sum, each) => sum + each.memoryBytes, 0) / MIB);
  if (asked > 0 && default_memory + asked > limits.memoryMiB) {
    const sum = `${default_memory + asked} MiB (default_memory ${default_memory}, memory limits of its containers ${asked})`;
    const most = `${limits.memoryMiB} MiB, ${limits.memoryBy}`;
    throw new KataError("InvalidArgument", `the sandbox would have ${sum}: more than ${most}`);
  }
  if (vcpus > limits.vcpus)
    warn(`the sandbox has ${limits.vcpus} vCPUs, the most that it may have: its containers ask for ${vcpus}`);
  return { vcpus: Math.min(vcpus, limits.vcpus), memoryMiB: default_memory + asked };
}

/** In CPUs, to a thousandth. */
function quotaOf(workloads: readonly Workload[]): number {
  const thousandths = workloads.map(({ quota, period }) => Math.round((quota * 1000) / period));
  return thousandths.reduce((sum, each) => sum + each, 0) / 1000;
}
