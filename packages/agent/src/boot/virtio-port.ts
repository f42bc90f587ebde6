import { isSysError, ops, readText } from "@kata-containers/sys";

const CLASS = "/sys/class/virtio-ports";

/** The device of the virtio-serial port with this name, "/dev/vport1p1"; undefined while there is none. */
export function findVirtioPort(name: string): string | undefined {
  try {
    const device = ops
      .readdir(CLASS)
      .find((entry) => readText(`${CLASS}/${entry.name}/name`).trim() === name);
    return device === undefined ? undefined : `/dev/${device.name}`;
  } catch (error) {
    // The class, or a port's name, is not there yet.
    if (isSysError(error, "ENOENT", "ENODEV")) return undefined;
    throw error;
  }
}
