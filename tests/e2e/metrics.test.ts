import { expect, it } from "vitest";
import { sandboxCost } from "../harness/memory.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

it("metrics prints the memory of the agent and of the daemon in Prometheus' format", async () => {
  const id = await runtime.start();
  const text = await runtime.ok(["metrics", id]);
  for (const name of [
    "kata_agent_process_resident_memory_bytes",
    "kata_shim_process_resident_memory_bytes",
  ]) {
    const bytes = Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
    expect(bytes).toBeGreaterThan(1 << 20);
    expect(bytes).toBeLessThan(16 << 20);
  }
  await runtime.ok(["delete", "--force", id]);
});

it("metrics tells what a sandbox costs the host, process by process", async () => {
  const id = await runtime.start();
  const cost = sandboxCost(await runtime.ok(["metrics", id]));
  expect([...cost.keys()]).toEqual(expect.arrayContaining(["daemon", "qemu", "kata-shim"]));
  expect(cost.get("qemu")).toBeGreaterThan(32 << 20);
  expect(cost.get("daemon")).toBeLessThan(16 << 20);
  expect(cost.get("kata-shim")).toBeLessThan(8 << 20);
  await runtime.ok(["delete", "--force", id]);
});

it("metrics of an unknown container is refused by name", async () => {
  const { status, stderr } = await runtime.kata(["metrics", "nobody"]);
  expect(status).toBe(1);
  expect(stderr).toContain("does not exist");
});
