import { parseConfig } from "@kata-containers/config";
import { Logger, setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Confinement, MemoryPlace } from "../confine/confinement.ts";
import { NO_NETWORK } from "../network/sandbox-network.ts";
import { Phases } from "../phases.ts";
import { startMachine } from "../start-machine.ts";
import { nodeFiles } from "../testing/node-files.ts";
import { makeTemplate } from "./make-template.ts";

let warnings: string[];

beforeEach(() => {
  warnings = [];
  // Whatever boots fails at its first socket.
  setOps(nodeFiles({ monotonicMs: () => 0, cpuCount: () => 2 }));
});
afterEach(() => setOps(undefined));

function depsWith(memory: MemoryPlace, keys = "") {
  const toml = `[hypervisor.qemu]\naccelerator = "tcg"\n${keys}\n[factory]\nenable_template = true\n`;
  return {
    config: parseConfig(toml, "/c.toml"),
    confinement: { memory } as Confinement,
    log: new Logger({ fd: -1, name: "test", onWarning: (line) => warnings.push(line) }),
  };
}

const OBSTACLE = { obstacle: "template_path /t: is no directory" };

test("a machine boots, with one warning, when template_path is not ours", async () => {
  const deps = {
    ...depsWith(OBSTACLE),
    phases: new Phases(),
    openNetwork: () => NO_NETWORK,
    size: undefined,
  };
  await expect(startMachine(deps)).rejects.toThrow("ENOSYS");
  expect(warnings).toEqual([
    "the VM boots, it cannot be a copy of the template: template_path /t: is no directory",
  ]);
});

test("no template is made where there is no place for its memory, or no machine could be a copy", async () => {
  const never = new Promise<never>(() => {});
  await expect(makeTemplate(depsWith(OBSTACLE), never)).rejects.toThrow(OBSTACLE.obstacle);
  for (const key of ["enable_hugepages", "enable_mem_prealloc"]) {
    const deps = depsWith({ directory: "/memory" }, `${key} = true`);
    await expect(makeTemplate(deps, never)).rejects.toThrow(`no VM can be a copy: ${key}`);
  }
});
