import { describe, expect, it } from "vitest";
import { CGROUP_VERSIONS, useCgroups } from "../harness/guest-cgroups.ts";
import { Runc } from "../harness/runc.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

/** Fills memory until the kernel ends it. */
const HOG = "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done";

describe.each(CGROUP_VERSIONS)("events with cgroup $version in the guest", ({ version, kernel_params }) => {
  it("prints figures at once with --stats, in runc's shape", async () => {
    useCgroups(runtime, kernel_params);
    const resources = { memory: { limit: 64 << 20 }, pids: { limit: 50 } };
    const edit = (config: { linux: object }) => Object.assign(config.linux, { resources });
    const id = await runtime.start({ edit });
    const event = JSON.parse(await runtime.ok(["events", "--stats", id]));
    expect(event).toMatchObject({
      type: "stats",
      id,
      data: { memory: { usage: { limit: 64 << 20 } }, pids: { current: 1, limit: 50 } },
    });
    expect(event.data.cpu.usage.total).toBeGreaterThan(0);
    expect(event.data.memory.usage.usage).toBeGreaterThan(0);

    await using runc = new Runc();
    runc.create();
    const theirs = JSON.parse((await runc.run(["events", "--stats", runc.id])).stdout);
    const { cpuset: _, ...shape } = theirs.data;
    expect(Object.keys(event.data)).toEqual(Object.keys(shape));
    // runc's host has cgroup v1: v2 has no history of each processor.
    const { percpu_kernel: __, percpu_user: ___, ...usage } = theirs.data.cpu.usage;
    if (version === "v1") expect(Object.keys(event.data.cpu.usage)).toEqual(Object.keys(usage));
    expect(Object.keys(event.data.memory)).toEqual(expect.arrayContaining(Object.keys(theirs.data.memory)));
  });

  it("tells of each process killed for want of memory, and ends with the container", async () => {
    useCgroups(runtime, kernel_params);
    const id = await runtime.start({
      edit: (config) => Object.assign(config.linux, { resources: { memory: { limit: 32 << 20 } } }),
    });
    const child = runtime.spawn(["events", "--interval", "200ms", id], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const events: { type: string; id: string }[] = [];
    let text = "";
    child.stdout?.on("data", (chunk) => {
      text += chunk;
      events.splice(
        0,
        events.length,
        ...text
          .split("\n")
          .slice(0, -1)
          .map((line) => JSON.parse(line)),
      );
    });
    const ended = new Promise((resolve) => child.on("close", resolve));
    await expect.poll(() => events.length).toBeGreaterThan(0);
    expect((await runtime.kata(["exec", id, "sh", "-c", HOG])).status).toBe(137);
    await expect.poll(() => events).toContainEqual({ type: "oom", id });
    await runtime.ok(["kill", id, "KILL"]);
    expect(await ended).toBe(0);
    expect(events.filter(({ type }) => type === "oom")).toHaveLength(1);
  });
});

it("events refuses an interval that is none", async () => {
  for (const interval of ["0s", "5", "-1s", "fast"]) {
    const ended = await runtime.kata(["events", "--interval", interval, "nobody"]);
    expect(ended).toMatchObject({ status: 1, stderr: expect.stringContaining("must be greater than 0") });
  }
});
