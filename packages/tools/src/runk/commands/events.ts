import {
  containerId,
  eventsOptions,
  oomEvent,
  printEvent,
  readInterval,
  statsEvent,
} from "@kata-containers/cli";
import { type CgroupPlace, readMoreStats, readStats, watchOom } from "@kata-containers/launch";
import { exists, KataError, sleep } from "@kata-containers/sys";
import { statusOf } from "../container-process.ts";
import { defineCommand } from "../define-command.ts";
import { readRecord } from "../record.ts";
import { requireCgroups } from "../require-cgroups.ts";

export const events = defineCommand({
  name: "events",
  summary: "print a container's figures and out-of-memory events as JSON lines",
  description:
    "One line each interval, and one whenever the kernel has killed a process of the container for want of memory, until " +
    "the container is deleted.",
  args: [containerId],
  options: eventsOptions,
  async run({ options, args: [id = ""], globals }) {
    const intervalMs = readInterval(options.interval);
    const record = readRecord(globals.root, id);
    if (statusOf(globals.root, record) === "stopped")
      throw new KataError("FailedPrecondition", `container with id ${id} is not running`);
    requireCgroups(record);
    if (options.stats) printFigures(id, record.cgroups);
    else await printUntilDeleted(id, record.cgroups, intervalMs);
    return 0;
  },
});

/** @returns false when nobody reads it */
function printFigures(id: string, cgroups: readonly CgroupPlace[]): boolean {
  const { percpuKernel, percpuUser, cpuset, kernelTcp } = readMoreStats(cgroups);
  const usage = { percpu_kernel: percpuKernel, percpu_user: percpuUser };
  const more = { usage, cpuset, ...(kernelTcp === undefined ? {} : { kernelTCP: kernelTcp }) };
  return printEvent(statsEvent(id, { cgroupStats: readStats(cgroups), networkStats: [], more }));
}

/** Until its control groups are gone, or nobody reads any more. */
async function printUntilDeleted(
  id: string,
  cgroups: readonly CgroupPlace[],
  intervalMs: number,
): Promise<void> {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const onOom = () => {
    if (!printEvent(oomEvent(id))) end();
  };
  using _watch = watchOom(cgroups, onOom, end);
  await Promise.race([ended, printEvery(intervalMs, id, cgroups)]);
}

async function printEvery(intervalMs: number, id: string, cgroups: readonly CgroupPlace[]): Promise<void> {
  do await sleep(intervalMs);
  while (cgroups.some(({ directory }) => exists(directory)) && printFigures(id, cgroups));
}
