import type { KernelModules } from "../boot/kernel-modules.ts";

/** A storage request whose mount point has been checked. */
export interface CheckedStorage {
  readonly source: string;
  readonly fstype: string;
  readonly options: readonly string[];
  readonly mountPoint: string;
}

/** Brings a storage to its mount point and returns what undoes it. */
export type StorageDriver = (storage: CheckedStorage, modules: KernelModules) => () => void;
