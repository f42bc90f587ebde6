import { deadline, isSysError, KataError, ops } from "@kata-containers/sys";

/** NETLINK_KOBJECT_UEVENT of linux/netlink.h, and its only multicast group: the kernel's own events. */
const KOBJECT_UEVENT = 15;
const KERNEL_GROUP = 1;
/** The kernel's limit on one event (UEVENT_BUFFER_SIZE, 2 KiB), twice. */
const MAX_EVENT = 4096;

/** Looks for something that a device's appearance brings about; undefined: not there yet. */
export type Probe<T> = () => T | undefined;

interface Waiter {
  /** True when it is done. */
  check(): boolean;
}

/** Lets callers wait for devices without polling: after each kernel event every waiter looks again. */
export class Uevents {
  readonly #socket: number;
  readonly #waiters = new Set<Waiter>();

  /** Opens the socket at once, so that no event after this line is missed. */
  constructor() {
    this.#socket = ops.netlink(KOBJECT_UEVENT, KERNEL_GROUP);
    void this.#listen();
  }

  /**
   * Resolves with what `probe` finds, now or after some later event.
   * @throws KataError DeadlineExceeded after so many milliseconds, naming `what`
   */
  waitFor<T>(probe: Probe<T>, ms: number, what: string): Promise<T> {
    let waiter: Waiter | undefined;
    const found = new Promise<T>((resolve, reject) => {
      waiter = {
        check: () => {
          try {
            const value = probe();
            if (value === undefined) return false;
            resolve(value);
          } catch (error) {
            reject(error);
          }
          return true;
        },
      };
      if (!waiter.check()) this.#waiters.add(waiter);
    });
    const late = () => {
      if (waiter !== undefined) this.#waiters.delete(waiter);
      return new KataError("DeadlineExceeded", `${what} did not appear within ${ms} ms`);
    };
    return deadline(found, ms, late);
  }

  async #listen(): Promise<void> {
    for (;;) {
      try {
        await ops.read(this.#socket, MAX_EVENT);
      } catch (error) {
        // Events were lost: look anyway.
        if (!isSysError(error, "ENOBUFS")) throw error;
      }
      for (const waiter of this.#waiters) if (waiter.check()) this.#waiters.delete(waiter);
    }
  }
}
