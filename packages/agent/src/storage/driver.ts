import type { KernelModules } from "../boot/kernel-modules.ts";
import type { Hotplug } from "../sandbox/hotplug.ts";

/** A storage request whose mount point has been checked. */
export interface CheckedStorage {
  readonly source: string;
  readonly fstype: string;
  readonly options: readonly string[];
  readonly mountPoint: string;
}

/** Finds devices, and tells when one is there. */
export type Devices = Pick<Hotplug, "find" | "waitFor">;

/** Brings a storage to its mount point and returns what undoes it. */
export type StorageDriver = (storage: CheckedStorage, modules: KernelModules) => () => void;
