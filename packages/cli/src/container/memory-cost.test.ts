import { type Ops, setOps } from "@kata-containers/sys";
import { textFiles } from "@kata-containers/sys/testing";
import type { ContainerRecord, ProcessName, SandboxRecord } from "@kata-containers/virtcontainers";
import { afterEach, expect, test } from "vitest";
import { idleMemoryCost, memoryCost } from "./memory-cost.ts";

afterEach(() => setOps(undefined));

/** Processes whose /proc files these are. */
const useProc = (files: Record<string, string>) => setOps(textFiles(files) as Ops);

const pss = (KiB: number) => `5570-7ffc [rollup]\nRss: 9999 kB\nPss:   ${KiB} kB\nPss_Dirty: 1 kB\n`;
/** A process that started at the tick of its pid. */
const stat = (pid: number) => `${pid} (a b) S ${"1 ".repeat(18)}${pid} 0\n`;

const process = (name: ProcessName, pid: number): SandboxRecord["resources"][number] => ({
  kind: "process",
  name,
  identity: { pid, startTime: pid },
});
const containers = (...pids: number[]) => pids.map((pid) => ({ pid }) as ContainerRecord);

const figures = (text: string) =>
  Object.fromEntries(
    [...text.matchAll(/item="([\w-]+)"} (\d+)/g)].map(([, item, bytes]) => [item, Number(bytes)]),
  );

const KIB = 1024;

test("each process counts once, virtiofsd's worker with it, and all kata-shims as one", () => {
  useProc({
    "/proc/9/stat": stat(9),
    "/proc/9/smaps_rollup": pss(1),
    // The daemon's children are named themselves.
    "/proc/9/task/9/children": "10 11 ",
    "/proc/10/stat": stat(10),
    "/proc/10/smaps_rollup": pss(2),
    "/proc/11/stat": stat(11),
    "/proc/11/smaps_rollup": pss(4),
    "/proc/11/task/11/children": "12 ",
    "/proc/12/smaps_rollup": pss(8),
    "/proc/20/cmdline": "kata-shim\0--socket\0/s\0",
    "/proc/20/smaps_rollup": pss(16),
    "/proc/21/cmdline": "kata-shim\0--socket\0/s\0",
    "/proc/21/smaps_rollup": pss(32),
  });
  const resources = [
    process("daemon", 9),
    { kind: "cgroup", path: "/c" } as const,
    process("qemu", 10),
    process("virtiofsd", 11),
  ];
  const text = memoryCost({ resources, containers: containers(20, 21, 0) });
  expect(text).toContain("# TYPE kata_sandbox_proportional_memory_bytes gauge\n");
  expect(figures(text)).toEqual({ daemon: KIB, qemu: 2 * KIB, virtiofsd: 12 * KIB, "kata-shim": 48 * KIB });
});

test("what has ended, is another process now, or cannot be read, is left out", () => {
  useProc({
    // Started later than ours: the pid is another's.
    "/proc/10/stat": stat(11),
    "/proc/10/smaps_rollup": pss(2),
    "/proc/11/stat": stat(11),
    // containerd's daemon, which stands for its containers.
    "/proc/20/cmdline": "containerd-shim-kata-v2\0",
    "/proc/20/smaps_rollup": pss(16),
  });
  const resources = [process("daemon", 9), process("qemu", 10), process("virtiofsd", 11)];
  expect(memoryCost({ resources, containers: containers(20, 21) })).toBe("");
});

test("one that waits in the cache costs what its daemon and all below it do; one that has gone costs nothing", () => {
  useProc({
    "/proc/10/status": "Name:\tqemu\nPPid:\t9\n",
    "/proc/9/smaps_rollup": pss(1),
    "/proc/9/task/9/children": "10 11 ",
    "/proc/10/smaps_rollup": pss(2),
    "/proc/11/smaps_rollup": pss(4),
    "/proc/11/task/11/children": "12 ",
    "/proc/12/smaps_rollup": pss(8),
    "/proc/30/status": "Name:\tqemu\nPPid:\t1\n",
    "/proc/1/smaps_rollup": pss(1000),
  });
  expect([idleMemoryCost(10), idleMemoryCost(30), idleMemoryCost(40)]).toEqual([15 * KIB, 0, 0]);
});
