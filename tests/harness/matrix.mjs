// The cells of the test matrix that this host can run, for the tests and for scripts/test.mjs.
import { closeSync, openSync } from "node:fs";

const VHOST_VSOCK = "/dev/vhost-vsock";

const booting = ["virtio-serial", "vsock"].flatMap((channel) =>
  ["pc", "q35"].flatMap((machine) =>
    ["debian", "own"].map((kernel) => ({
      name: `${kernel}-${machine}-${channel}`,
      kernel,
      machine,
      channel,
      factory: "none",
    })),
  ),
);

const made = ["template", "cache"].map((factory) => ({
  name: `own-pc-virtio-serial-${factory}`,
  kernel: "own",
  machine: "pc",
  channel: "virtio-serial",
  factory,
}));

const all = [...booting, ...made];

const obstacle = obstacleToVsock();

export const cells = all.filter(({ channel }) => channel !== "vsock" || obstacle === undefined);

const installed = `debian-pc-${obstacle === undefined ? "vsock" : "virtio-serial"}`;

export const otherCells = cells.filter(({ name }) => name !== installed);

export const skipped =
  obstacle === undefined ? undefined : `skipped: ${all.length - cells.length} vsock cells: ${obstacle}`;

/** What agent_channel "auto" looks at, too. */
function obstacleToVsock() {
  try {
    closeSync(openSync(VHOST_VSOCK, "r+"));
    return undefined;
  } catch (error) {
    return error.code === "ENOENT" ? `no ${VHOST_VSOCK}` : error.message;
  }
}
