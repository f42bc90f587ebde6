import { EATS_MEMORY, FORKS, IN_GUEST, limits, one, type Row } from "./row.ts";

/** Limits of the control groups. */
export const resources: readonly Row[] = [
  {
    name: "--memory",
    script: `$run --rm -m 64m --memory-reservation 32m box ${limits("memory.max memory.low", "memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes")}`,
    shows: "67108864\n33554432\n",
  },
  {
    name: "more memory than the limit: killed, status 137",
    script: `$run --name one -m 16m --memory-swap 16m box ${EATS_MEMORY}; echo $?; $c inspect -f '{{.State.ExitCode}}' one`,
    shows: "137\n137\n",
  },
  {
    name: "the engine is told that it was memory",
    only: "docker",
    script: `$run --name one -m 16m --memory-swap 16m box ${EATS_MEMORY}; $c inspect -f '{{.State.OOMKilled}}' one`,
    shows: "true\n",
    kata: {
      shows: "false\n",
      why: "docker looks at the host's control group, and the guest's kernel killed the process",
    },
  },
  {
    name: "--pids-limit",
    script: `$run --rm --pids-limit 20 box ${limits("pids.max", "pids/pids.max")}; $run --rm --pids-limit 20 box ${FORKS}`,
    shows: /^20\ncan.t fork\n/,
  },
  {
    name: "--cpus",
    script: `$run --rm --cpus 0.5 box ${limits("cpu.max", "cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us")}`,
    shows: /^50000\s100000\n$/,
    kata: { shows: "50000 100000\n", why: IN_GUEST },
  },
  {
    name: "--cpu-shares",
    script: `$run --rm --cpu-shares 512 box ${limits("cpu.weight", "cpu/cpu.shares")}`,
    shows: /^(512|20)\n$/,
    kata: { shows: "20\n", why: IN_GUEST },
  },
  {
    name: "--cpu-period and --cpu-quota",
    script: `$run --rm --cpu-period 50000 --cpu-quota 20000 box ${limits("cpu.max", "cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us")}`,
    shows: /^20000\s50000\n$/,
    kata: { shows: "20000 50000\n", why: IN_GUEST },
  },
  {
    name: "--cpuset-cpus",
    script: `$run --rm --cpuset-cpus 0 box sh -c 'grep Cpus_allowed_list /proc/self/status'`,
    shows: "Cpus_allowed_list:\t0\n",
  },
  {
    name: "update of memory, CPU and pids while it runs",
    only: "docker",
    script: `${one("-m 64m --memory-swap 64m")}; $c update -m 32m --memory-swap 32m --cpu-shares 256 --cpus 0.25 --pids-limit 30 one; $c exec one ${limits("memory.max cpu.max pids.max", "memory/memory.limit_in_bytes cpu/cpu.shares cpu/cpu.cfs_quota_us pids/pids.max")}`,
    shows: /^one\n33554432\n[\s\S]*25000[\s\S]*30\n$/,
    kata: { shows: "one\n33554432\n25000 100000\n30\n", why: IN_GUEST },
  },
  {
    name: "update of memory and CPU while it runs",
    only: "podman",
    script: `${one("-m 64m --memory-swap 64m")}; $c update -m 32m --memory-swap 32m --cpu-shares 256 --cpus 0.25 one; $c exec one ${limits("memory.max cpu.weight cpu.max", "memory/memory.limit_in_bytes cpu/cpu.shares cpu/cpu.cfs_quota_us")}`,
    shows: /^ID\n33554432\n(256|10)\n25000( 100000)?\n$/,
    kata: { shows: "ID\n33554432\n10\n25000 100000\n", why: IN_GUEST },
  },
  {
    name: "stats",
    script: `${one("-m 64m")}; $c stats --no-stream --format '{{.Name}} {{.PIDs}}' one`,
    shows: "one 1\n",
    kata: {
      shows: /^one \d+\n$/,
      why: "the engine counts the processes of the host's control group, the VM's",
    },
  },
];
