import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { Bundle, script } from "./bundle.ts";
import { V2 } from "./control-group.ts";

/** linux.resources as the kernel has them, read in the container's cgroups. */

let bundle: Bundle | undefined;
afterEach(async () => {
  await bundle?.close();
  bundle = undefined;
});

/** What runk's container reads in these files of its cgroups. */
function limited(resources: object, files: readonly string[]): Bundle {
  bundle = new Bundle((spec) => {
    script(`cd /sys/fs/cgroup; cat ${files.join(" ")}`)(spec);
    spec.linux.resources = resources;
    // Else runc shows all of the host's hierarchy.
    if (V2) (spec.linux.namespaces as object[]).push({ type: "cgroup" });
  });
  return bundle;
}

function read(resources: object, ...files: string[]): string {
  const { stdout, stderr, status } = limited(resources, files).run();
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout;
}

test("CPU: a burst", () => {
  const cpu = { quota: 50_000, period: 100_000, burst: 20_000 };
  expect(read({ cpu }, V2 ? "cpu.max.burst" : "cpu/cpu.cfs_burst_us")).toBe("20000\n");
});

test.runIf(!V2)("memory: swappiness, TCP buffers, no OOM killer", () => {
  const memory = { limit: 64 << 20, swappiness: 10, kernelTCP: 32 << 20, disableOOMKiller: true };
  const output = read(
    { memory },
    "memory/memory.swappiness",
    "memory/memory.kmem.tcp.limit_in_bytes",
    "memory/memory.oom_control",
  );
  expect(output).toMatch(/^10\n33554432\noom_kill_disable 1\n/);
});

test.runIf(V2).each([
  ["swappiness", 10],
  ["kernelTCP", 32 << 20],
  ["disableOOMKiller", true],
])("memory: %s, which cgroup v2 has not, is refused before anything is made", (key, value) => {
  const { status, stderr } = limited({ memory: { limit: 64 << 20, [key]: value } }, []).run();
  expect(stderr).toContain(`linux.resources.memory.${key}: cannot be set with cgroup v2`);
  expect(status).not.toBe(0);
});

test("memory: a limit of the kernel's is a warning, and the container runs", () => {
  const file = V2 ? "pids.max" : "pids/pids.max";
  const { stdout, stderr, status } = limited({ memory: { kernel: 32 << 20 } }, [file]).run();
  expect(stderr).toContain("memory.kernel: without effect");
  expect([status, stdout]).toEqual([0, "max\n"]);
});

describe("block I/O", () => {
  /** A disk of this machine: the root file system's, as /proc/self/mountinfo has it, without the partition. */
  const disk = () => {
    const root = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .find((line) => line.split(" ")[4] === "/");
    const [major = 0, minor = 0] = (root?.split(" ")[2] ?? "").split(":").map(Number);
    return { major, minor };
  };

  test("a weight is BFQ's, or else of v2's own, as with runc", () => {
    // Whichever of the two files this kernel has.
    const files = V2 ? ["io.bfq.weight", "io.weight", "2> /dev/null"] : ["blkio/blkio.bfq.weight"];
    const container = limited({ blockIO: { weight: 500 } }, files);
    const [runk, runc] = [container.run(), container.runc()];
    expect(runk).toEqual(runc);
    expect(runk.stdout).toMatch(V2 ? /^default (500|4950)$/m : /^500\n$/);
  });

  test("throttles are the disk's, as with runc", () => {
    const blockIO = {
      throttleReadBpsDevice: [{ ...disk(), rate: 1 << 20 }],
      throttleWriteIOPSDevice: [{ ...disk(), rate: 100 }],
    };
    const files = ["blkio/blkio.throttle.read_bps_device", "blkio/blkio.throttle.write_iops_device"];
    const container = limited({ blockIO }, V2 ? ["io.max"] : files);
    const [runk, runc] = [container.run(), container.runc()];
    expect(runk).toEqual(runc);
    expect(runk.stdout).toMatch(
      V2 ? /^\d+:\d+ rbps=1048576 wbps=max riops=max wiops=100\n$/ : /^\d+:\d+ 1048576\n\d+:\d+ 100\n$/,
    );
  });
});

const UNIFIED = "/sys/fs/cgroup/unified/cgroup.controllers";
test.runIf(existsSync(UNIFIED) && readFileSync(UNIFIED, "utf8").includes("hugetlb"))(
  "a controller of v2 beside v1's: huge pages, those that are reserved too, and a file by its name",
  () => {
    const resources = {
      hugepageLimits: [{ pageSize: "2MB", limit: 4 << 20 }],
      unified: { "hugetlb.1GB.max": "1073741824" },
    };
    // The container's own view has v1's hierarchies alone.
    bundle = new Bundle((spec) => {
      script("cat /v2/hugetlb.2MB.max /v2/hugetlb.2MB.rsvd.max /v2/hugetlb.1GB.max")(spec);
      spec.linux.resources = resources;
      spec.mounts.push({
        destination: "/v2",
        type: "bind",
        source: "/sys/fs/cgroup/unified/limits-test",
        options: ["rbind"],
      });
      spec.linux.cgroupsPath = "/limits-test";
    });
    const { stdout, stderr } = bundle.run();
    expect(stderr).toBe("");
    expect(stdout).toBe("4194304\n4194304\n1073741824\n");
    // What runk has handed down, as it must: or v1 could not have the controller any more.
    writeFileSync("/sys/fs/cgroup/unified/cgroup.subtree_control", "-hugetlb");
  },
);

test.each([
  ["a leaf weight", { blockIO: { leafWeight: 300 } }, "blockIO.leafWeight: a leaf weight (Linux has none"],
  ["a weight out of range", { blockIO: { weight: 5 } }, "blockIO.weight: is not a number from 10 to 1000: 5"],
  V2
    ? [
        "a class of packets",
        { network: { classID: 1 } },
        "network.classID: needs the cgroup controller net_cls",
      ]
    : [
        "an RDMA device",
        { rdma: { mlx5_0: { hcaHandles: 1 } } },
        "rdma.mlx5_0: needs the cgroup controller rdma",
      ],
])("%s is refused before anything is made", (_, resources, message) => {
  expect(limited(resources, []).run().stderr).toContain(message);
});
