import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { memberOptions, sandboxOptions } from "../harness/pod.ts";
import { configurationFile, testConfiguration, writeConfiguration } from "../harness/programs.ts";
import { useRuntime } from "../harness/runtime.ts";
import { sandboxProcesses } from "../harness/sandbox-processes.ts";

const runtime = useRuntime();
afterEach(() => {
  runtime.configuration = configurationFile;
});
const configure = (keys: Readonly<Record<string, unknown>>): void => {
  const file = runtime.scratch.join("configuration.toml");
  runtime.configuration = writeConfiguration(file, { "hypervisor.qemu": keys });
};
const MIB = 1 << 20;
const several = availableParallelism() > 1;

interface Limits {
  readonly quota?: number;
  readonly memoryMiB?: number;
}

const limited = ({ quota, memoryMiB }: Limits) => ({
  edit: (config: { linux: { resources: object } }) => {
    config.linux.resources = {
      ...(quota === undefined ? {} : { cpu: { quota, period: 100_000 } }),
      ...(memoryMiB === undefined ? {} : { memory: { limit: memoryMiB * MIB } }),
    };
  },
});

/** What a container sees of its VM. */
async function sizeIn(id: string): Promise<{ readonly cpus: number; readonly memoryMiB: number }> {
  const seen = await runtime.ok(["exec", id, "sh", "-c", "nproc; grep MemTotal /proc/meminfo"]);
  const [cpus, , kb] = seen.split(/\s+/);
  return { cpus: Number(cpus), memoryMiB: Number(kb) / 1024 };
}

const recorded = (id: string) =>
  JSON.parse(readFileSync(join(runtime.root, id, "persist.json"), "utf8")).size;

/** The guest's kernel keeps up to a tenth of what is added for its own tables. */
function expectAdded(added: number, MiB: number): void {
  expect(added).toBeGreaterThan(MiB * 0.9);
  expect(added).toBeLessThanOrEqual(MiB);
}

describe("a sandbox's VM", () => {
  it("starts with what its container's limits ask for", async () => {
    const [plain, large] = [
      await runtime.start(),
      await runtime.start(limited({ quota: 50_000, memoryMiB: 300 })),
    ];
    const [before, after] = [await sizeIn(plain), await sizeIn(large)];
    expect(before.cpus).toBe(1);
    expect(after.cpus).toBe(Math.min(2, availableParallelism()));
    // A copy of a template has got it by whole blocks of the guest's memory.
    expectAdded(after.memoryMiB - before.memoryMiB, testConfiguration().factory.enable_template ? 384 : 300);
  });

  it("grows with an update, by whole blocks of the guest's memory, and does not shrink", async () => {
    const id = await runtime.start();
    const before = await sizeIn(id);
    await runtime.ok(["update", "--memory", "130m", "--memory-swap", "130m", "--cpu-quota", "100000", id]);
    const after = await sizeIn(id);
    expect(after.cpus).toBe(several ? 2 : 1);
    expectAdded(after.memoryMiB - before.memoryMiB, 256);
    const { default_memory } = testConfiguration().hypervisor;
    expect(recorded(id)).toEqual({ vcpus: after.cpus, memoryMiB: default_memory + 256 });
    await runtime.ok(["update", "--memory", "10m", "--memory-swap", "10m", "--cpu-quota", "-1", id]);
    expect(await sizeIn(id)).toEqual(after);
    expect(await runtime.ok(["exec", id, "sh", "-c", "head -c 8m /dev/zero | wc -c"])).toBe("8388608\n");
  });

  it("grows for a container that joins, whose memory is there to be used", async () => {
    const sandbox = await runtime.start(sandboxOptions());
    const options = await memberOptions(runtime, sandbox, {});
    const id = await runtime.start({
      ...options,
      edit: (config) => {
        options.edit?.(config);
        limited({ quota: 100_000, memoryMiB: 400 }).edit(config);
      },
    });
    expect((await sizeIn(id)).cpus).toBe(several ? 2 : 1);
    // More than the machine had when it booted.
    const fill =
      "mount -t tmpfs -o size=300m none /tmp && dd if=/dev/zero of=/tmp/x bs=1M count=270 2> /dev/null && stat -c %s /tmp/x";
    expect(await runtime.ok(["exec", "--cap", "CAP_SYS_ADMIN", id, "sh", "-c", fill])).toBe("283115520\n");
  });

  it("that would be larger than it may be is refused before anything is made; so is an update", async () => {
    const most = testConfiguration().hypervisor.default_memory + 100;
    configure({ default_maxmemory: most });
    const ended = await runtime.kata([
      "run",
      "--bundle",
      runtime.bundle(limited({ memoryMiB: 101 })),
      runtime.newId(),
    ]);
    expect(ended).toMatchObject({
      status: 1,
      stderr: `kata-runtime: the sandbox would have ${most + 1} MiB (default_memory ${most - 100}, memory limits of its containers 101): more than ${most} MiB, default_maxmemory of [hypervisor.qemu]\n`,
    });
    expect(findTraces(runtime.traces())).toEqual([]);
    const id = await runtime.start(limited({ memoryMiB: 50 }));
    const refused = await runtime.kata(["update", "--memory", "150m", "--memory-swap", "150m", id]);
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining(`more than ${most} MiB`) });
    expect(JSON.parse(await runtime.ok(["events", "--stats", id])).data.memory.usage.limit).toBe(50 * MIB);
  });

  it("without slots for memory says so, and the container keeps its limit", async () => {
    configure({ memory_slots: 0 });
    const id = await runtime.start();
    const refused = await runtime.kata(["update", "--memory", "100m", "--memory-swap", "100m", id]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/^kata-runtime: the VM cannot grow to 1 vCPUs and \d+ MiB: QMP: .*\n$/);
    expect(await runtime.ok(["exec", id, "echo", "alive"])).toBe("alive\n");
  });
});

describe.runIf(several)("CPUs of the host", () => {
  const vmmCpus = () => {
    const qemu = sandboxProcesses(runtime.traces()).get("qemu");
    return /^Cpus_allowed_list:\s+(.*)$/m.exec(readFileSync(`/proc/${qemu}/status`, "utf8"))?.[1];
  };

  it("that a cpuset names are the sandbox's, until an update names others", async () => {
    const id = await runtime.start({
      edit: (config) => {
        Object.assign(config.linux.resources, { cpu: { cpus: "1" } });
      },
    });
    expect(vmmCpus()).toBe("1");
    await runtime.ok(["update", "--cpuset-cpus", "0-1", id]);
    expect(vmmCpus()).toBe("0-1");
    const refused = await runtime.kata(["update", "--cpuset-cpus", "0,x", id]);
    expect(refused).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("linux.resources.cpu.cpus: is no list"),
    });
    expect(vmmCpus()).toBe("0-1");
  });
});
