import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CGROUP_VERSIONS, useCgroups } from "../harness/guest-cgroups.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

interface Figures {
  memory: { usage: { limit: number }; swap: { limit: number } };
  pids: { limit?: number };
}

const MiB = 1 << 20;

describe.each(CGROUP_VERSIONS)("update with cgroup $version in the guest", ({ version, kernel_params }) => {
  const figures = async (id: string): Promise<Figures> =>
    JSON.parse(await runtime.ok(["events", "--stats", id])).data;
  const quota = (id: string) =>
    runtime.ok([
      "exec",
      id,
      "cat",
      version === "v2" ? "/sys/fs/cgroup/cpu.max" : "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
    ]);
  const mounts = [{ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"] }];

  it("changes what is given and leaves the rest", async () => {
    useCgroups(runtime, kernel_params);
    const id = await runtime.start({ mounts });
    await runtime.ok(["update", "--memory", "100m", "--memory-swap", "150m", "--pids-limit", "20", id]);
    expect(await figures(id)).toMatchObject({
      memory: { usage: { limit: 100 * MiB }, swap: { limit: 150 * MiB } },
      pids: { limit: 20 },
    });
    // Both up, then both down: v1 allows neither order for both.
    await runtime.ok(["update", "--memory", "200m", "--memory-swap", "300m", id]);
    await runtime.ok(["update", "--memory", "50m", "--memory-swap", "60m", id]);
    expect(await figures(id)).toMatchObject({
      memory: { usage: { limit: 50 * MiB }, swap: { limit: 60 * MiB } },
    });
    await runtime.ok(["update", "--cpu-period", "50000", "--cpu-quota", "20000", id]);
    await runtime.ok(["update", "--cpu-quota", "30000", id]);
    expect(await quota(id)).toBe(version === "v2" ? "30000 50000\n" : "30000\n");
    await runtime.ok(["update", "--memory", "-1", "--pids-limit", "-1", id]);
    const free = await figures(id);
    expect(free.memory.usage.limit).toBeGreaterThan(2 ** 60);
    expect(free.pids.limit).toBeUndefined();
  });

  it("takes a file or standard input, and 0 changes nothing", async () => {
    useCgroups(runtime, kernel_params);
    const id = await runtime.start();
    const file = runtime.scratch.join("resources.json");
    writeFileSync(
      file,
      JSON.stringify({
        memory: { limit: 64 * MiB, swap: 0 },
        cpu: { cpus: "", shares: 0 },
        blockIO: { weight: 0 },
      }),
    );
    // As runc: beside a file, options do not count.
    await runtime.ok(["update", "--memory", "lots", "--resources", file, id]);
    await runtime.ok(["update", "-r", "-", id], { input: '{"pids":{"limit":33}}' });
    await runtime.ok(["update", id]);
    expect(await figures(id)).toMatchObject({ memory: { usage: { limit: 64 * MiB } }, pids: { limit: 33 } });
  });

  it("tells what the guest's kernel refuses", async () => {
    useCgroups(runtime, kernel_params);
    const id = await runtime.start();
    const ended = await runtime.kata(["update", "--cpu-quota", "10", id]);
    expect(ended).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/the guest's kernel refuses cpu\.\S+ = .*EINVAL/),
    });
  });
});

describe("update refuses", () => {
  const none = "nobody";
  it.each([
    [["--cpuset-cpus", "8191", "C"], "linux.resources.cpu.cpus: cannot give the sandbox 8191 of the host's"],
    [["--kernel-memory", "1m", "C"], "cannot update memory.kernel: Linux has no limit of kernel memory"],
    [
      ["--blkio-weight", "100", "C"],
      "cannot update blockIO.weight: the VM has none of the host's block devices",
    ],
    [["--l3-cache-schema", "L3:0=f", none], "cannot update l3-cache-schema: Intel RDT"],
    [["--mem-bw-schema", "MB:0=50", none], "cannot update mem-bw-schema: Intel RDT"],
    [["--memory", "lots", none], 'invalid value for memory: "lots" is not a size'],
    [["--pids-limit", "many", none], "invalid value for pids-limit"],
    [["--cpu-share", "-1", none], "invalid value for cpu-share"],
    [[none], 'container "nobody" does not exist'],
    [["--memory", "1m", none], 'container "nobody" does not exist'],
  ])("%j", async (args, message) => {
    const id = args.at(-1) === "C" ? await runtime.create() : none;
    const ended = await runtime.kata(["update", ...args.slice(0, -1), id]);
    expect(ended).toMatchObject({ status: 1, stderr: expect.stringContaining(message) });
  });
});
