import { expect, test } from "vitest";
import { guestMetrics, memoryItem } from "./guest-metrics.ts";

const FILES: Readonly<Record<string, string>> = {
  "/proc/loadavg": "0.25 0.50 1.00 2/78 901\n",
  "/proc/stat": "cpu  10 1 2 3 4 5 6 7 8 9\ncpu0 5 0 0 0 0 0 0 0 0 0\nintr 1 2\nctxt 3\n",
  "/proc/meminfo": "MemTotal:         215 kB\nHugePages_Total:       3\nActive(anon):        1 kB\n",
  "/proc/vmstat": "nr_free_pages 43579\noom_kill 1\n",
  "/proc/net/dev": "Inter-|\n face |\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
  "/proc/diskstats":
    " 254       0 vda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n   7       0 loop0 1 0 0 0 0 0 0 0 0 0 0\n",
};

test("the guest's load, processors, memory, network and disks have upstream's names and units", () => {
  const lines = guestMetrics((path) => FILES[path] ?? "").split("\n");
  for (const line of [
    'kata_guest_load{item="load15"} 1',
    'kata_guest_tasks{item="cur"} 2',
    'kata_guest_tasks{item="max"} 78',
    'kata_guest_cpu_time{cpu="total",item="user"} 100',
    'kata_guest_cpu_time{cpu="total",item="guest_nice"} 90',
    'kata_guest_cpu_time{cpu="0",item="user"} 50',
    'kata_guest_meminfo{item="mem_total"} 220160',
    'kata_guest_meminfo{item="hugepages_total"} 3',
    'kata_guest_vm_stat{item="oom_kill"} 1',
    'kata_guest_netdev_stat{interface="eth0",item="sent_bytes"} 9',
    'kata_guest_diskstat{disk="vda",item="reads"} 1',
    'kata_guest_diskstat{disk="vda",item="time_flushing"} 17',
    'kata_guest_diskstat{disk="loop0",item="weighted_time_in_progress"} 0',
  ])
    expect(lines).toContain(line);
  expect(lines.filter((line) => line.includes("loop0"))).toHaveLength(11);
});

test("what a kernel has not is left out", () => {
  expect(guestMetrics(() => "")).toBe("");
});

test.each([
  ["Active(file)", "active_file"],
  ["SReclaimable", "s_reclaimable"],
  ["SUnreclaim", "s_unreclaim"],
  ["KReclaimable", "k_reclaimable"],
  ["AnonHugePages", "anon_hugepages"],
  ["ShmemPmdMapped", "shmem_pmd_mapped"],
  ["Hugepagesize", "hugepagesize"],
  ["Committed_AS", "committed_as"],
  ["NFS_Unstable", "nfs_unstable"],
  ["WritebackTmp", "writeback_tmp"],
  ["Percpu", "per_cpu"],
  ["DirectMap4k", "direct_map_4k"],
  ["DirectMap1G", "direct_map_1G"],
])("%s of the kernel is %s", (key, item) => {
  expect(memoryItem(key)).toBe(item);
});
