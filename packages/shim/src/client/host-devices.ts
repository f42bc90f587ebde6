import type { Device, DeviceRule, Spec } from "@kata-containers/oci";
import { exists, KataError } from "@kata-containers/sys";

/**
 * Character devices that are a kernel's own and not the machine's, so that the guest's answers as the host's would: memory (null, zero …),
 * the terminal of whoever asks, and fuse, which the guest has for its share. Linux's Documentation/admin-guide/devices.txt.
 */
const OF_EVERY_KERNEL: readonly { readonly major: number; readonly minor?: number }[] = [
  { major: 1 },
  { major: 5 },
  { major: 10, minor: 229 },
];

/**
 * A node below /dev reaches the guest as its number alone: there it leads to nothing, or to something else, when what has that number is a
 * device of the host's. A container that may use every device, a privileged one, names all that the host has; its devices are the guest's.
 * @throws KataError Unimplemented naming the first such device
 */
export function checkDevices({ linux }: Spec, bundle: string): void {
  if (linux?.resources?.devices?.some(isEveryDevice)) return;
  for (const [index, device] of (linux?.devices ?? []).entries()) {
    if (isOfEveryKernel(device) || !isOnHost(device)) continue;
    const { path, type, major, minor } = device;
    throw new KataError(
      "Unimplemented",
      `${bundle}/config.json: linux.devices[${index}]: ${path} (${type} ${major}:${minor}) is a device of the host's, which are not passed to a VM`,
    );
  }
}

function isEveryDevice({ allow, type }: DeviceRule): boolean {
  return allow && (type === undefined || type === "" || type === "a");
}

function isOfEveryKernel({ type, major, minor }: Device): boolean {
  const isCharacter = type === "c" || type === "u";
  return (
    isCharacter && OF_EVERY_KERNEL.some((each) => each.major === major && (each.minor ?? minor) === minor)
  );
}

/** sysfs(5): /sys/dev has a link for each device, by its number. A FIFO has none. */
function isOnHost({ type, major, minor }: Device): boolean {
  return type !== "p" && exists(`/sys/dev/${type === "b" ? "block" : "char"}/${major}:${minor}`);
}
