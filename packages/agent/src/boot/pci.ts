import { writeText } from "@kata-containers/sys";

/**
 * Has the kernel look for devices that nobody has told it of, and their drivers take them: those of a guest that goes on as another's copy,
 * which has more of them (Documentation/ABI/testing/sysfs-bus-pci). Returns when that is done.
 */
export function findPciDevices(): void {
  writeText("/sys/bus/pci/rescan", "1");
}
