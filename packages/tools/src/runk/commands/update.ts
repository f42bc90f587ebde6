import { containerId, limitOptions, resourcesOption, wantedResources } from "@kata-containers/cli";
import { limitWarnings, updateLimits } from "@kata-containers/launch";
import { parseSpec, type Resources, type Spec } from "@kata-containers/oci";
import { KataError, MAX_TEXT_BYTES, ops } from "@kata-containers/sys";
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
    refuseOthers(resources, parseSpec(ops.readFile(directory.spec, MAX_TEXT_BYTES)));
    for (const warning of limitWarnings(resources)) warn(warning);
    const written = updateLimits(resources, record.cgroups);
    await changeContainerScope(record, written);
    return 0;
  },
});

/**
 * Device rules, which cannot be changed. Unchanged they are no obstacle: containerd's CRI sends all that the container was
 * created with.
 * @throws KataError Unimplemented
 */
function refuseOthers({ devices = [] }: Resources, { linux = {} }: Spec): void {
  const created = linux.resources?.devices;
  if (devices.length === 0 || JSON.stringify(devices) === JSON.stringify(created)) return;
  throw new KataError(
    "Unimplemented",
    "update: devices: cannot be changed: leave it out, or as it is in config.json",
  );
}
