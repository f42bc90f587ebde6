import { OCI_VERSION } from "@kata-containers/oci";
import { annotationsOf } from "../container/container-list.ts";
import { currentState, findContainer } from "../container/find-container.ts";
import { defineCommand } from "../define-command.ts";
import { printText } from "../print.ts";
import { containerId } from "./container-options.ts";

export const state = defineCommand({
  name: "state",
  summary: "print a container's state as JSON",
  description:
    "The state of the OCI runtime specification. The pid is kata-shim's, which stands for the process on the host.",
  args: [containerId],
  options: {},
  async run({ args: [id = ""], globals }) {
    using found = await findContainer(globals, id);
    const container = await currentState(found);
    const state = {
      ociVersion: container.ociVersion === "" ? OCI_VERSION : container.ociVersion,
      id: container.id,
      pid: container.pid,
      status: container.status,
      bundle: container.bundle,
      rootfs: container.rootfs ?? "",
      created: new Date(container.createdMs).toISOString(),
      annotations: annotationsOf(container),
      // As runc's: only list tells it.
      owner: "",
    };
    printText(`${JSON.stringify(state, undefined, 2)}\n`);
    return 0;
  },
});
