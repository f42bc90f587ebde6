import type { Storage } from "@kata-containers/protocols";
import { isSysError, KataError } from "@kata-containers/sys";
import type { KernelModules } from "../boot/kernel-modules.ts";
import { checkRunPath } from "../check.ts";
import { bindStorage } from "./bind.ts";
import type { Devices, StorageDriver } from "./driver.ts";
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

  readonly #devices: Devices;

  constructor(modules: KernelModules, devices: Devices) {
    this.#modules = modules;
    this.#devices = devices;
  }

  /** @throws KataError as `attach` does for a storage that cannot be one; nothing was attached */
  check(storages: readonly Storage[]): void {
    storages.forEach(checked);
  }

  /**
   * As `attach`; a share is waited for, whose device may be plugged in just now.
   * @throws KataError DeadlineExceeded when it does not appear
   */
  async attachSoon(storage: Storage): Promise<string> {
    const attach = (): string | undefined => {
      try {
        return this.attach(storage);
      } catch (error) {
        // Linux, fs/fuse/virtio_fs.c: no device has that tag.
        if (storage.driver === "virtio-fs" && isSysError(error, "EINVAL")) return undefined;
        throw error;
      }
    };
    return await this.#devices.waitFor(attach, "the share's device");
  }

  /**
   * Attaches a storage, or counts one more use of its mount point. Returns the mount point, for {@link release}.
   * @throws KataError Unimplemented for an unknown driver, InvalidArgument for a mount point outside of the run directory
   */
  attach(storage: Storage): string {
    const { driver, mountPoint } = checked(storage);
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

/** @throws KataError Unimplemented, InvalidArgument */
function checked({ driver: name, mountPoint }: Storage): { driver: StorageDriver; mountPoint: string } {
  const driver = Object.hasOwn(DRIVERS, name) ? DRIVERS[name] : undefined;
  if (driver === undefined) {
    throw new KataError(
      "Unimplemented",
      `storage driver ${JSON.stringify(name)}: this agent has ${STORAGE_DRIVERS.join(", ")}`,
    );
  }
  return { driver, mountPoint: checkRunPath(mountPoint, "storage mount_point") };
}
