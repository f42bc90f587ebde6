import { writeConfiguration } from "./programs.ts";
import type { Runtime } from "./runtime.ts";

/** Versions of cgroups that a guest may have; each suite that depends on them runs with both. */
export const CGROUP_VERSIONS = [
  { version: "v2", kernel_params: "agent.unified_cgroup_hierarchy=true" },
  { version: "v1", kernel_params: "agent.unified_cgroup_hierarchy=false" },
] as const;

/** Makes the runtime's guests have that version. */
export function useCgroups(runtime: Runtime, kernel_params: string): void {
  runtime.configuration = writeConfiguration(runtime.scratch.join("configuration.toml"), {
    "hypervisor.qemu": { kernel_params },
  });
}
