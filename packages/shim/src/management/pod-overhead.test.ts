import { KataError, type Ops, setOps } from "@kata-containers/sys";
import type { Sandbox } from "@kata-containers/virtcontainers";
import { afterEach, expect, test } from "vitest";
import { hostUsage, PodOverhead } from "./pod-overhead.ts";

afterEach(() => setOps(undefined));

const cgroups = { sandbox: "/pod/s", daemon: "/pod/d" };

/** Control groups whose files are `files`, by their paths. */
function useHost(files: Record<string, string>, mountinfo = ""): { nowMs: number } {
  const clock = { nowMs: 0 };
  const fake: Partial<Ops> = {
    monotonicMs: () => clock.nowMs,
    readTexts: (directory, names) => names.map((name) => files[`${directory}/${name}`] ?? ""),
    readFile: () => new TextEncoder().encode(mountinfo),
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
  };
  setOps(fake as Ops);
  return clock;
}

const V2 = { mount: "/c", version: 2, controllers: [] } as const;
const v1 = (controller: string) =>
  ({ mount: `/c/${controller}`, version: 1, controllers: [controller] }) as const;

test("cgroup v1, v2 and both at once count the VM and the daemon", () => {
  useHost({
    "/c/pod/s/cpu.stat": "usage_usec 5\nuser_usec 1\n",
    "/c/pod/s/memory.current": "100\n",
    "/c/pod/d/cpu.stat": "usage_usec 1\n",
    "/c/pod/d/memory.current": "10\n",
    "/c/cpuacct/pod/s/cpuacct.usage": "7000\n",
    "/c/cpuacct/pod/d/cpuacct.usage": "1\n",
    "/c/memory/pod/s/memory.usage_in_bytes": "300\n",
    "/c/memory/pod/d/memory.usage_in_bytes": "3\n",
  });
  expect(hostUsage(cgroups, [V2])).toEqual({ cpuNs: 6000, memoryBytes: 110 });
  const both = [V2, v1("cpuacct"), v1("memory"), v1("pids")];
  expect(hostUsage(cgroups, both)).toEqual({ cpuNs: 7001, memoryBytes: 303 });
  expect(hostUsage(cgroups, [v1("pids")])).toEqual({ cpuNs: 0, memoryBytes: 0 });
});

/** A sandbox of containers that run, and what the guest says of them: CPU in ns, memory in bytes. */
function sandboxOf(usage: Record<string, [bigint, bigint]>, refusal?: KataError): Sandbox {
  const request = async (_: unknown, { containerId }: { containerId: string }) => {
    const [totalUsage, memory] = usage[containerId] ?? [];
    if (refusal !== undefined) throw refusal;
    if (totalUsage === undefined) throw new KataError("NotFound", "no such container");
    return {
      cgroupStats: { cpuStats: { cpuUsage: { totalUsage } }, memoryStats: { usage: { usage: memory } } },
    };
  };
  const containers = () => [
    ...Object.keys(usage).map((id) => ({ id, status: "running" })),
    { id: "gone", status: "running" },
  ];
  return { containers, agent: () => ({ request }) } as unknown as Sandbox;
}

const MOUNTINFO = "1 0 0:1 / /c rw - cgroup2 cgroup2 rw\n";
const figures = (text: string): number[] =>
  [...text.matchAll(/^kata\S+ (\S+)$/gm)].map(([, value]) => Number(value));

test("the overhead is what the host counts beyond what the guest does: CPU since the last look, memory now", async () => {
  const files: Record<string, string> = {
    "/c/pod/s/cpu.stat": "usage_usec 600000\n",
    "/c/pod/s/memory.current": "1000\n",
  };
  const clock = useHost(files, MOUNTINFO);
  const usage: Record<string, [bigint, bigint]> = { a: [100_000_000n, 300n] };
  const overhead = new PodOverhead(sandboxOf(usage), cgroups);
  clock.nowMs = 1000;
  expect(figures(await overhead.metrics())).toEqual([50, 700]);
  clock.nowMs = 3000;
  files["/c/pod/s/cpu.stat"] = "usage_usec 1000000\n";
  usage.a = [150_000_000n, 300n];
  usage.b = [50_000_000n, 200n];
  // 400 ms of the host's, 100 ms of the guest's, in 2 s.
  expect(figures(await overhead.metrics())).toEqual([15, 500]);
});

test("without the guest's word there is no overhead to tell", async () => {
  useHost({}, MOUNTINFO);
  const late = new KataError("DeadlineExceeded", "late");
  await expect(new PodOverhead(sandboxOf({}, late), cgroups).metrics()).rejects.toBe(late);
});
