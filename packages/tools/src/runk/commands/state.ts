import { containerId, printText } from "@kata-containers/cli";
import { OCI_VERSION } from "@kata-containers/oci";
import { statusOf } from "../container-process.ts";
import { defineCommand } from "../define-command.ts";
import { readRecord } from "../record.ts";

export const state = defineCommand({
  name: "state",
  summary: "print a container's state as JSON",
  args: [containerId],
  options: {},
  async run({ args: [id = ""], globals }) {
    const record = readRecord(globals.root, id);
    const status = statusOf(globals.root, record);
    const { bundle, rootfs, created, annotations } = record;
    const pid = status === "stopped" ? 0 : record.pid;
    const report = {
      ociVersion: OCI_VERSION,
      id,
      pid,
      status,
      bundle,
      rootfs,
      created,
      annotations,
      owner: "",
    };
    printText(`${JSON.stringify(report, null, 2)}\n`);
    return 0;
  },
});
