import { containerId, limitOptions, resourcesOption, wantedResources } from "@kata-containers/cli";
import { limitWarnings, updateLimits } from "@kata-containers/launch";
import type { Resources } from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";
import { statusOf } from "../container-process.ts";
import { defineCommand } from "../define-command.ts";
import { RecordDirectory } from "../record.ts";
import { warn } from "../report.ts";
import { requireCgroups } from "../require-cgroups.ts";
import { changeContainerScope } from "../systemd-scope.ts";

/** As in a specification: a warning says it. */
const kernelMemory = {
  ...limitOptions["kernel-memory"],
  help: "without effect: Linux has no such limit any more",
};

const rdtOptions = {
  "l3-cache-schema": { value: "SCHEMA", help: "refused: Intel RDT is not supported" },
  "mem-bw-schema": { value: "SCHEMA", help: "refused: Intel RDT is not supported" },
} as const;

export const update = defineCommand({
  name: "update",
  summary: "change the limits of a container",
  description: "What is not given, or 0, stays as it is.",
  args: [containerId],
  options: { ...resourcesOption, ...limitOptions, "kernel-memory": kernelMemory, ...rdtOptions },
  async run({ options, args: [id = ""], globals }) {
    for (const name of ["l3-cache-schema", "mem-bw-schema"] as const) {
      if (options[name] !== undefined)
        throw new KataError("Unimplemented", `update: --${name}: Intel RDT is not supported`);
    }
    const resources = await wantedResources(options);
    using directory = RecordDirectory.open(globals.root, id);
    const record = directory.mustRead();
    if (statusOf(globals.root, record) === "stopped")
      throw new KataError("FailedPrecondition", "container not running");
    requireCgroups(record);
    // As runc: nothing to change is no error.
    if (resources === undefined) return 0;
    refuseOthers(resources);
    for (const warning of limitWarnings(resources)) warn(warning);
    const written = updateLimits(resources, record.cgroups);
    if (record.scope !== undefined) await changeContainerScope(record.scope, written);
    return 0;
  },
});

/** What is in a file of limits, and cannot be changed. */
function refuseOthers({ devices = [], unified = {} }: Resources): void {
  const found = devices.length > 0 ? "devices" : Object.keys(unified).length > 0 ? "unified" : undefined;
  if (found !== undefined) throw new KataError("Unimplemented", `update: ${found}: cannot be changed`);
}
