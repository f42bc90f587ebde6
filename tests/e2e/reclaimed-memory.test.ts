import { describe, expect, it } from "vitest";
import { sandboxCost } from "../harness/memory.ts";
import { eventually } from "../harness/process.ts";
import { testConfiguration, writeConfigurationFrom } from "../harness/programs.ts";
import { useRuntime } from "../harness/runtime.ts";
import { SAID, saidBy } from "../harness/templates.ts";

const MIB = 1 << 20;
/** What a container writes, and gives back. */
const USED = 96 * MIB;
/** The guest reports pieces of 2 MiB that nobody has a part of, two seconds after they are free. */
const RETURNED = 64 * MIB;
const RETURN_MS = 30_000;

const runtime = useRuntime();

/** What the VMM and who else has the guest's memory have of the host's, bytes. */
async function taken(id: string): Promise<number> {
  const cost = sandboxCost(await runtime.ok(["metrics", id]));
  return (cost.get("qemu") ?? 0) + (cost.get("virtiofsd") ?? 0);
}

async function expectReturned(id: string): Promise<void> {
  const before = await taken(id);
  const count = `count=${USED / MIB}`;
  await runtime.ok(["exec", id, "dd", "if=/dev/zero", "of=/memory/file", "bs=1M", count]);
  const most = await taken(id);
  expect(most - before).toBeGreaterThan(RETURNED);
  await runtime.ok(["exec", id, "rm", "/memory/file"]);
  const isReturned = async () => ((await taken(id)) < most - RETURNED ? true : undefined);
  await eventually("memory is returned", isReturned, RETURN_MS);
  // And is there when it is wanted again.
  await runtime.ok(["exec", id, "dd", "if=/dev/zero", "of=/memory/file", "bs=1M", count]);
  expect(await taken(id)).toBeGreaterThan(before + RETURNED);
}

/** With room for it. */
const large = {
  mounts: [{ destination: "/memory", type: "tmpfs", source: "tmpfs", options: [`size=${2 * USED}`] }],
};

describe("with reclaim_guest_freed_memory the host gets back what a container has freed", () => {
  const configure = (factory: { enable_template?: boolean; template_path?: string }) => {
    runtime.configuration = writeConfigurationFrom(
      testConfiguration(),
      runtime.scratch.join("reclaim.toml"),
      {
        "hypervisor.qemu": { reclaim_guest_freed_memory: true },
        factory,
        runtime: { enable_debug: true },
      },
    );
  };

  it("in a VM that has booted", async () => {
    configure({ enable_template: false });
    const id = await runtime.start(large);
    expect(saidBy(runtime, id).filter((line) => line.includes(SAID.copied))).toEqual([]);
    await expectReturned(id);
  });

  it("in one that is a copy of a template", async () => {
    configure({ enable_template: true, template_path: runtime.scratch.join("template") });
    const id = await runtime.start(large);
    expect(saidBy(runtime, id).filter((line) => line.includes(SAID.copied))).toHaveLength(1);
    await expectReturned(id);
  });
});
