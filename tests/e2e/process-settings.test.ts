import { writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { useRuntime } from "../harness/runtime.ts";

/** Members of config.json that upstream's protocol has no field for, or upstream's runtime does not send, hold in the guest as well. */

const runtime = useRuntime();

it("the domain name", async () => {
  const id = await runtime.start({ edit: (config) => Object.assign(config, { domainname: "kata.example" }) });
  expect(await runtime.ok(["exec", id, "cat", "/proc/sys/kernel/domainname"])).toBe("kata.example\n");
});

const LOOK =
  "sed 's/.*) //' /proc/self/stat | cut -d' ' -f17,39; ionice -p $$; uname -m; cut -d. -f1 /proc/uptime; " +
  "cat /sys/fs/cgroup/cpu.max.burst /sys/fs/cgroup/memory.high";

it("scheduling, I/O priority, execution domain, time offsets, and limits by v2's own files", async () => {
  const id = await runtime.start({
    mounts: [{ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"] }],
    edit: (config) => {
      const settings = { scheduler: { policy: "SCHED_BATCH", nice: 7 } };
      Object.assign(config.process, settings, { ioPriority: { class: "IOPRIO_CLASS_BE", priority: 6 } });
      Object.assign(config.linux, {
        namespaces: [...config.linux.namespaces, { type: "time" }],
        personality: { domain: "LINUX32" },
        timeOffsets: { boottime: { secs: 9_000_000 } },
        resources: {
          cpu: { quota: 50_000, period: 100_000, burst: 20_000 },
          unified: { "memory.high": "67108864" },
        },
      });
    },
  });
  const seen = await runtime.ok(["exec", id, "sh", "-c", LOOK]);
  expect(seen).toMatch(/^7 3\nbest-effort: prio 6\ni686\n9\d{6}\n20000\n67108864\n$/);

  const file = runtime.scratch.join("resources.json");
  writeFileSync(file, JSON.stringify({ cpu: { burst: 10_000 }, unified: { "memory.high": "33554432" } }));
  await runtime.ok(["update", "--resources", file, id]);
  const files = ["/sys/fs/cgroup/cpu.max.burst", "/sys/fs/cgroup/memory.high"];
  expect(await runtime.ok(["exec", id, "cat", ...files])).toBe("10000\n33554432\n");
});
