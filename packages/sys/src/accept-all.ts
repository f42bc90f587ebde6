import { KataError } from "./kata-error.ts";
import { sleep } from "./sleep.ts";
import { isSysError } from "./sys-error.ts";

/** accept(2) failures that pass; the wait keeps them from spinning. */
const PASSING = ["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "ECONNABORTED"] as const;
const PASSING_WAIT_MS = 100;

/**
 * Accepts one connection after the other until the listener is closed, which `isOpen` tells.
 * @throws KataError when no more can be accepted
 */
export async function acceptAll<T>(
  accept: () => Promise<T>,
  isOpen: () => boolean,
  add: (connection: T) => void,
): Promise<void> {
  while (isOpen()) {
    try {
      add(await accept());
    } catch (error) {
      if (!isOpen()) return;
      if (!isSysError(error, ...PASSING)) throw KataError.from(error, "cannot accept connections");
      await sleep(PASSING_WAIT_MS);
    }
  }
}
