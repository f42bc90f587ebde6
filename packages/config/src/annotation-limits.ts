import { type Annotation, wrong } from "./annotation-error.ts";
import type { HostSize } from "./host-size.ts";
import type { KataConfig } from "./table.ts";

type SizeKey = "default_vcpus" | "default_maxvcpus" | "default_memory";

/** The most of something, and who says so. */
interface Limit {
  readonly most: number;
  readonly of: string;
}

/**
 * Refuses sizes that are more than the configuration file allows or the host has. Those of the file itself may be: they
 * are cut to the host's, as upstream does.
 * @param annotationOf the annotation that set a key
 * @throws KataError InvalidArgument
 */
export function refuseBeyondLimits(
  before: KataConfig,
  after: KataConfig,
  annotationOf: (key: SizeKey) => Annotation | undefined,
  host: () => HostSize,
): void {
  const [vcpus, maxVcpus, memory] = [
    annotationOf("default_vcpus"),
    annotationOf("default_maxvcpus"),
    annotationOf("default_memory"),
  ];
  if ([vcpus, maxVcpus, memory].every((each) => each === undefined)) return;
  const { cpus, memoryMiB } = host();
  const file = (key: "default_maxvcpus" | "default_maxmemory"): Limit => ({
    most: before.hypervisor[key] || Number.POSITIVE_INFINITY,
    of: `${key} of [hypervisor.qemu] in ${before.path}`,
  });
  const hostCpus = { most: cpus, of: "the host's CPUs" };
  const { default_vcpus, default_maxvcpus, default_memory } = after.hypervisor;
  refuseMore(maxVcpus, default_maxvcpus || cpus, [file("default_maxvcpus"), hostCpus]);
  const annotated = { most: default_maxvcpus || cpus, of: maxVcpus?.name ?? "" };
  refuseMore(vcpus, default_vcpus < 0 ? cpus : default_vcpus, [
    ...(maxVcpus === undefined ? [] : [annotated]),
    file("default_maxvcpus"),
    hostCpus,
  ]);
  if (maxVcpus !== undefined && default_maxvcpus !== 0 && default_vcpus > default_maxvcpus)
    throw wrong(
      maxVcpus,
      `must be at least ${default_vcpus}, default_vcpus of [hypervisor.qemu] in ${before.path}`,
    );
  refuseMore(memory, default_memory, [
    file("default_maxmemory"),
    { most: memoryMiB, of: "the host's memory in MiB" },
  ]);
}

function refuseMore(annotation: Annotation | undefined, wanted: number, limits: readonly Limit[]): void {
  const [limit] = limits.toSorted((one, other) => one.most - other.most);
  if (annotation === undefined || limit === undefined || wanted <= limit.most) return;
  throw wrong(annotation, `must be at most ${limit.most}, ${limit.of}`);
}
