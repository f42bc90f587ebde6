/**
 * What people do with containers, as they type it. In a script `$run` is `docker run` or `podman run` with the runtime that is tested,
 * `$c` the engine, `$dir` a directory of the row's own on the host; the image `box` is busybox with the user alice (1000) and the group
 * staff (50). What it writes has to be the same with runc and with runk, and to be as `shows` says, so that both cannot fail alike.
 */
export interface Row {
  readonly name: string;
  readonly script: string;
  readonly shows: RegExp | string;
  /** The engine that has it, if it is not both. */
  readonly only?: "docker" | "podman";
  /** With runc it is the host that would be changed. */
  readonly withoutRunc?: true;
  /** What kata-runtime shows instead, on standard output and error together: the container is in a VM. */
  readonly kata?: { readonly shows: RegExp | string; readonly why: string };
}

/** The guest's control groups are version 2, whatever the host has. */
export const IN_GUEST = "the limits are the guest's, which has cgroup v2";

export const CAPS = "sh -c 'grep -e Cap -e NoNewPrivs /proc/self/status'";
/** The limits as the container sees them, on cgroup v1 or v2: `limits "memory.max" "memory/memory.limit_in_bytes"`. */
export const limits = (v2: string, v1: string) =>
  `sh -c 'cd /sys/fs/cgroup; if [ -e cgroup.controllers ]; then cat ${v2}; else cat ${v1}; fi'`;
export const EATS_MEMORY = `sh -c 'x=aaaaaaaa; while :; do x=$x$x; done'`;
export const FORKS = `sh -c 'for i in $(seq 30); do sleep 10 & done 2>&1 | grep -m 1 -o "can.t fork"'`;
/** Starts a container named `one` that sleeps. */
export const one = (options = "") => `$run -d --name one ${options} box sleep 1000 > /dev/null`;
