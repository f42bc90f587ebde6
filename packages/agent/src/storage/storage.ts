import type { Storage } from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";
import type { KernelModules } from "../boot/kernel-modules.ts";
import { checkRunPath } from "../check.ts";
import { bindStorage } from "./bind.ts";
import type { StorageDriver } from "./driver.ts";
import { ephemeralStorage } from "./ephemeral.ts";
import { localStorage } from "./local.ts";
import { plan9Storage } from "./plan9.ts";
import { virtioFsStorage } from "./virtio-fs.ts";

/** The drivers, by the name a request gives; GetGuestDetails lists them. */
const DRIVERS: Readonly<Record<string, StorageDriver>> = {
  "virtio-fs": virtioFsStorage,
  "9p": plan9Storage,
  ephemeral: ephemeralStorage,
  local: localStorage,
  bind: bindStorage,
};

export const STORAGE_DRIVERS: readonly string[] = Object.keys(DRIVERS);

interface Attached {
  uses: number;
  readonly release: () => void;
}

/** The sandbox's storages. One mount point is attached once and stays until everyone that asked for it has let it go. */
export class Storages {
  readonly #modules: KernelModules;
  readonly #attached = new Map<string, Attached>();

  constructor(modules: KernelModules) {
    this.#modules = modules;
  }

  /**
   * Attaches a storage, or counts one more use of its mount point. Returns the mount point, for {@link release}.
   * @throws KataError Unimplemented for an unknown driver, InvalidArgument for a mount point outside of the run directory
   */
  attach(storage: Storage): string {
    const driver = Object.hasOwn(DRIVERS, storage.driver) ? DRIVERS[storage.driver] : undefined;
    if (driver === undefined) {
      throw new KataError(
        "Unimplemented",
        `storage driver ${JSON.stringify(storage.driver)}: this agent has ${STORAGE_DRIVERS.join(", ")}`,
      );
    }
    const mountPoint = checkRunPath(storage.mountPoint, "storage mount_point");
    const known = this.#attached.get(mountPoint);
    if (known !== undefined) {
      known.uses++;
      return mountPoint;
    }
    const { source, fstype, options } = storage;
    const release = driver({ source, fstype, options, mountPoint }, this.#modules);
    this.#attached.set(mountPoint, { uses: 1, release });
    return mountPoint;
  }

  /** Ends one use; the last one detaches the storage. */
  release(mountPoint: string): void {
    const attached = this.#attached.get(mountPoint);
    if (attached === undefined || --attached.uses > 0) return;
    this.#attached.delete(mountPoint);
    attached.release();
  }

  /** Detaches everything, newest first. */
  releaseAll(): void {
    const attached = [...this.#attached.values()].reverse();
    this.#attached.clear();
    for (const { release } of attached) release();
  }
}
