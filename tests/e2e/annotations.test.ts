import { createHash } from "node:crypto";
import { appendFileSync, chmodSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Overrides } from "@kata-containers/config";
import { describe, expect, it } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { memberOptions, sandboxOptions } from "../harness/pod.ts";
import { testConfiguration, writeConfiguration } from "../harness/programs.ts";
import { useRuntime } from "../harness/runtime.ts";

const QEMU = "io.katacontainers.config.hypervisor.";
const CONFIG_PATH = "io.katacontainers.config_path";

const runtime = useRuntime();

/** From now on, in this test: the tests' configuration with these keys. */
function configure(changes: Overrides, name = "configuration.toml"): string {
  const { hypervisor, agent, runtime: ours } = testConfiguration();
  return writeConfiguration(runtime.scratch.join(name), {
    "hypervisor.qemu": { ...hypervisor, ...changes["hypervisor.qemu"] },
    "agent.kata": { ...agent, ...changes["agent.kata"] },
    runtime: { ...ours, ...changes.runtime },
  });
}

function use(changes: Overrides): void {
  runtime.configuration = configure(changes);
}

const allow = (...patterns: string[]) => use({ "hypervisor.qemu": { enable_annotations: patterns } });

async function output(annotations: Readonly<Record<string, string>>, ...args: string[]): Promise<string> {
  const bundle = runtime.bundle({ args, annotations });
  return (await runtime.ok(["run", "--bundle", bundle, runtime.newId()])).trim();
}

/** What create says, which leaves nothing behind. */
async function refusal(annotations: Readonly<Record<string, string>>): Promise<string> {
  const ended = await runtime.kata(["create", "--bundle", runtime.bundle({ annotations }), runtime.newId()]);
  expect(ended).toMatchObject({ status: 1, stdout: "" });
  expect(findTraces(runtime.traces())).toEqual([]);
  return ended.stderr;
}

const memoryKb = async (annotations: Readonly<Record<string, string>>) =>
  Number(/\d+/.exec(await output(annotations, "grep", "MemTotal", "/proc/meminfo"))?.[0]);

describe("in the guest one sees what an annotation asks for:", () => {
  it.runIf(availableParallelism() > 1)("vCPUs", async () => {
    allow("^default_vcpus$");
    expect(await output({}, "nproc")).toBe("1");
    expect(await output({ [`${QEMU}default_vcpus`]: "2" }, "nproc")).toBe("2");
  });

  it("memory", async () => {
    allow("default_memory");
    const [without, more] = [await memoryKb({}), await memoryKb({ [`${QEMU}default_memory`]: "448" })];
    const added = (448 - testConfiguration().hypervisor.default_memory) * 1024;
    // A part of what is added is the kernel's, for its page table of all memory.
    expect(more - without).toBeGreaterThan(added * 0.9);
    expect(more - without).toBeLessThanOrEqual(added);
  });

  it("kernel parameters behind those of the configuration, and a pipe size for the agent", async () => {
    use({
      "hypervisor.qemu": {
        kernel_params: "kata.test=1",
        enable_annotations: ["^kernel_params$", "pipe_size"],
      },
    });
    const annotations = {
      [`${QEMU}kernel_params`]: "kata.test=2 kata.more=3",
      "io.katacontainers.config.agent.container_pipe_size": "4096",
    };
    const line = await output(annotations, "cat", "/proc/cmdline");
    expect(line).toContain(" kata.test=1 kata.test=2 kata.more=3");
    expect(line.split(" ")).toContain("agent.container_pipe_size=4096");
  });

  it("another kernel that the configuration lists, whose hash it has", async () => {
    const { kernel } = testConfiguration().hypervisor;
    const copy = runtime.scratch.join("vmlinux-copy");
    copyFileSync(kernel, copy);
    use({
      "hypervisor.qemu": {
        enable_annotations: ["kernel"],
        valid_kernel_paths: [runtime.scratch.join("vmlinux-*")],
      },
    });
    const sha512 = createHash("sha512").update(readFileSync(copy)).digest("hex");
    const annotations = { [`${QEMU}kernel`]: copy, [`${QEMU}kernel_hash`]: sha512 };
    expect(await output(annotations, "echo", "booted")).toBe("booted");
    appendFileSync(copy, "changed");
    expect(await refusal(annotations)).toContain(` is not the hash of ${copy}, `);
  });

  it("the settings of another configuration file that this one lists", async () => {
    const other = configure({ "hypervisor.qemu": { kernel_params: "kata.other=1" } }, "other.toml");
    use({ runtime: { valid_config_paths: [runtime.scratch.join("oth*.toml")] } });
    expect(await output({ [CONFIG_PATH]: other }, "cat", "/proc/cmdline")).toContain(" kata.other=1");
  });
});

describe("create refuses, and nothing is left,", () => {
  it("what the configuration does not enable", async () => {
    allow();
    expect(await refusal({ [`${QEMU}default_memory`]: "512" })).toBe(
      `kata-runtime: annotation ${QEMU}default_memory = "512" is not enabled: no pattern of enable_annotations of [hypervisor.qemu] in ${runtime.configuration} is found in default_memory\n`,
    );
  });

  it.each([
    [`${QEMU}default_vcpus`, "1000", "must be a number of vCPUs from -1 to 240"],
    [`${QEMU}default_vcpus`, "240", `must be at most ${availableParallelism()}, the host's CPUs`],
    [`${QEMU}default_memory`, "16777216", "must be at most "],
    [
      `${QEMU}kernel`,
      "/etc/shadow",
      "is not allowed: no pattern of valid_kernel_paths of [hypervisor.qemu] in ",
    ],
    [`${QEMU}kernel_hash`, "0".repeat(128), "is not the hash of "],
    [`${QEMU}enable_iommu`, "true", "is not supported: the guest has no IOMMU"],
    [`${QEMU}default_vcpu`, "2", `is unknown (did you mean ${QEMU}default_vcpus?)`],
    [CONFIG_PATH, "/etc/passwd", "is not allowed: no pattern of valid_config_paths of [runtime] in "],
    ["io.katacontainers.container.resource.swappiness", "60", "is not supported: the guest has no swap"],
  ])("%s = %j", async (name, value, rule) => {
    allow(".*");
    const told = await refusal({ [name]: value });
    expect(told).toContain(`kata-runtime: annotation ${name} = "${value.slice(0, 100)}`);
    expect(told).toContain(rule);
    expect(told.split("\n")).toHaveLength(2);
  });

  it("a listed file that others can write", async () => {
    const other = configure({}, "writable.toml");
    chmodSync(other, 0o666);
    use({ runtime: { valid_config_paths: [other] } });
    expect(await refusal({ [CONFIG_PATH]: other })).toContain(
      `the configuration ${other}: others can write it`,
    );
  });

  it.each(["(?i)vcpus", "[[:alpha:]]", "(?P<n>x)", "\\Avcpus", "vcpus\\z", "("])(
    "a pattern that is none: %s",
    async (pattern) => {
      const file = runtime.scratch.join("bad.toml");
      writeFileSync(file, `[hypervisor.qemu]\nenable_annotations = ['${pattern}']\n`);
      runtime.configuration = file;
      expect(await refusal({})).toContain(
        `${file}:2: [hypervisor.qemu] enable_annotations must be without ${JSON.stringify(pattern)}: `,
      );
    },
  );
});

it("a container that joins a pod may have the pod's annotations, which hold for the sandbox alone", async () => {
  allow("^kernel_params$");
  const annotations = { [`${QEMU}kernel_params`]: "kata.pod=1" };
  const pod = sandboxOptions();
  const sandbox = await runtime.start({ ...pod, annotations: { ...pod.annotations, ...annotations } });
  const member = await memberOptions(runtime, sandbox, { args: ["cat", "/proc/cmdline"] });
  const joining = (more: Readonly<Record<string, string>>) =>
    runtime.kata([
      "run",
      "--bundle",
      runtime.bundle({ ...member, annotations: { ...member.annotations, ...more } }),
      runtime.newId(),
    ]);
  const joined = await joining({ ...annotations, [`${QEMU}default_vcpus`]: "200" });
  expect(joined).toMatchObject({ status: 0, stderr: "" });
  expect(joined.stdout).toContain(" kata.pod=1");
  expect((await joining({ "io.katacontainers.container.resource.swappiness": "1" })).stderr).toContain(
    "is not supported: the guest has no swap",
  );
});
