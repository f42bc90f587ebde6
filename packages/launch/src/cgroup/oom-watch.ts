import { Fd, IN, isSysError, O, ops, writeText } from "@kata-containers/sys";
import { flatKeyed, readFile, v1Directory, v2Directory } from "./cgroup.ts";
import type { CgroupPlace } from "./cgroup-places.ts";

/**
 * Calls `onOom` whenever the kernel has killed a process of the container for want of memory, until it is disposed.
 * A machine without the memory controller has nothing to watch.
 */
export function watchOom(places: readonly CgroupPlace[], onOom: () => void): Disposable {
  const v1 = v1Directory(places, "memory");
  const directory = v1 ?? v2Directory(places);
  if (directory === undefined) return nothing;
  try {
    return v1 === undefined ? watchV2(directory, onOom) : watchV1(directory, onOom);
  } catch (error) {
    if (isSysError(error, "ENOENT")) return nothing;
    throw error;
  }
}

const nothing: Disposable = { [Symbol.dispose]: () => {} };

/** cgroup-v2.rst: memory.events is modified when one of its counters is. */
function watchV2(directory: string, onOom: () => void): Disposable {
  const file = `${directory}/memory.events`;
  const kills = () => flatKeyed(readFile(file)).get("oom_kill") ?? 0n;
  const watch = new Fd(ops.inotify(file, IN.MODIFY));
  let seen = kills();
  void repeat(async () => {
    await ops.read(watch.number, 4096);
    const now = kills();
    if (now > seen) onOom();
    seen = now;
  });
  return watch;
}

/** cgroup-v1/memory.rst, "OOM Control": an eventfd that is told of; the end of the control group signals it as well. */
function watchV1(directory: string, onOom: () => void): Disposable {
  const event = new Fd(ops.eventfd());
  using control = new Fd(ops.open(`${directory}/memory.oom_control`, O.RDONLY, 0));
  writeText(`${directory}/cgroup.event_control`, `${event.number} ${control.number}`);
  void repeat(async () => {
    await ops.read(event.number, 8);
    if (readFile(`${directory}/memory.oom_control`) !== "") onOom();
  });
  return event;
}

/** Until the descriptor that it waits on is closed. */
async function repeat(step: () => Promise<void>): Promise<void> {
  try {
    for (;;) await step();
  } catch (error) {
    if (!isSysError(error, "ECANCELED", "EBADF")) throw error;
  }
}
