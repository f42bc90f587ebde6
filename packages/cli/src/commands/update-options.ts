import type { Resources } from "@kata-containers/oci";
import type { Option } from "../command.ts";

/** A limit's option and the member of linux.resources that it sets. */
export interface Limit extends Option {
  readonly value: string;
  readonly path: readonly [keyof Resources, string];
  readonly kind: "bytes" | "unsigned" | "signed" | "text";
}

/** runc's options. */
export const limitOptions = {
  "cpu-period": limit("USEC", ["cpu", "period"], "unsigned", "period of the CPU quota"),
  "cpu-quota": limit("USEC", ["cpu", "quota"], "signed", "CPU time in a period; -1: no limit"),
  "cpu-share": limit("N", ["cpu", "shares"], "unsigned", "CPU time relative to others (2 to 262144)"),
  "cpu-rt-period": limit("USEC", ["cpu", "realtimePeriod"], "unsigned", "real-time period"),
  "cpu-rt-runtime": limit("USEC", ["cpu", "realtimeRuntime"], "signed", "real-time share of a period"),
  "cpuset-cpus": limit("LIST", ["cpu", "cpus"], "text", "CPUs to use (0-2,5)"),
  "cpuset-mems": limit("LIST", ["cpu", "mems"], "text", "memory nodes to use"),
  memory: limit("SIZE", ["memory", "limit"], "bytes", "memory (512m, 1g, bytes); -1: no limit"),
  "memory-reservation": limit("SIZE", ["memory", "reservation"], "bytes", "memory kept when it is scarce"),
  "memory-swap": limit("SIZE", ["memory", "swap"], "bytes", "memory and swap together; -1: no limit"),
  "kernel-memory": limit("SIZE", ["memory", "kernel"], "bytes", "refused: Linux has no such limit any more"),
  "kernel-memory-tcp": limit("SIZE", ["memory", "kernelTCP"], "bytes", "TCP buffers (cgroup v1 only)"),
  "pids-limit": limit("N", ["pids", "limit"], "signed", "number of processes; -1: no limit"),
  "blkio-weight": limit("N", ["blockIO", "weight"], "unsigned", "block I/O relative to others (10 to 1000)"),
} as const;

/** Those that a VM cannot have: the daemon refuses them, as it does in a file. */
export const guestLimitOptions = {
  ...limitOptions,
  "cpuset-cpus": { ...limitOptions["cpuset-cpus"], help: "CPUs of the host for the sandbox (0-2,5)" },
  "cpuset-mems": { ...limitOptions["cpuset-mems"], help: "memory nodes of the host for the sandbox" },
  "blkio-weight": { ...limitOptions["blkio-weight"], help: "refused: the VM has no block devices" },
} as const;

/** What no container in a VM can have, whatever its value. */
export const refusedOptions = {
  "l3-cache-schema": { value: "SCHEMA", help: "refused: Intel RDT is the host's" },
  "mem-bw-schema": { value: "SCHEMA", help: "refused: Intel RDT is the host's" },
} as const;

export const resourcesOption = {
  resources: {
    short: "r",
    value: "FILE",
    help: "the limits as JSON (OCI's linux.resources), - for standard input: options of limits are ignored then",
  },
} as const;

function limit(value: string, path: Limit["path"], kind: Limit["kind"], help: string): Limit {
  return { value, path, kind, help };
}
