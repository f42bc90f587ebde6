import { exists, Fd, IN, isSysError, O, ops, writeText } from "@kata-containers/sys";
import { flatKeyed, readFile, v1Directory, v2Directory } from "./cgroup.ts";
import type { CgroupPlace } from "./cgroup-places.ts";

/**
 * Calls `onOom` whenever the kernel has killed a process of the container for want of memory, until it is disposed.
 * A machine without the memory controller has nothing to watch.
 * @param onEnd called when the control group has been removed
 */
export function watchOom(
  places: readonly CgroupPlace[],
  onOom: () => void,
  onEnd: () => void = () => {},
): Disposable {
  const v1 = v1Directory(places, "memory");
  const directory = v1 ?? v2Directory(places);
  if (directory === undefined) return nothing;
  try {
    return v1 === undefined ? watchV2(directory, onOom, onEnd) : watchV1(directory, onOom, onEnd);
  } catch (error) {
    if (isSysError(error, "ENOENT")) return nothing;
    throw error;
  }
}

const nothing: Disposable = { [Symbol.dispose]: () => {} };

/** cgroup-v2.rst: memory.events is modified when one of its counters is. */
function watchV2(directory: string, onOom: () => void, onEnd: () => void): Disposable {
  const file = `${directory}/memory.events`;
  const kills = () => flatKeyed(readFile(file)).get("oom_kill") ?? 0n;
  const watch = new Fd(ops.inotify(file, IN.MODIFY));
  let seen = kills();
  void repeat(async () => {
    await ops.read(watch.number, 4096);
    // inotify(7): IN_IGNORED, which comes unasked, tells of the file's end.
    if (!exists(file)) return end(watch, onEnd);
    const now = kills();
    if (now > seen) onOom();
    seen = now;
  });
  return watch;
}

/** cgroup-v1/memory.rst, "OOM Control": an eventfd that is told of; the end of the control group signals it as well. */
function watchV1(directory: string, onOom: () => void, onEnd: () => void): Disposable {
  const event = new Fd(ops.eventfd());
  using control = new Fd(ops.open(`${directory}/memory.oom_control`, O.RDONLY, 0));
  writeText(`${directory}/cgroup.event_control`, `${event.number} ${control.number}`);
  void repeat(async () => {
    await ops.read(event.number, 8);
    if (!exists(`${directory}/memory.oom_control`)) return end(event, onEnd);
    onOom();
  });
  return event;
}

function end(watch: Fd, onEnd: () => void): void {
  watch.close();
  onEnd();
}

/** Until the descriptor that it waits on is closed. */
async function repeat(step: () => Promise<void>): Promise<void> {
  try {
    for (;;) await step();
  } catch (error) {
    if (!isSysError(error, "ECANCELED", "EBADF")) throw error;
  }
}
