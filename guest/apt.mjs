import { updateLists } from "./kernel-own/packages.mjs";

/**
 * Does what needs apt's lists; once more with new ones when it fails: a fresh machine has none, and old ones name versions that are no
 * longer to be had.
 */
export function withLists(attempt, update = updateLists) {
  try {
    return attempt();
  } catch {
    update();
    return attempt();
  }
}
