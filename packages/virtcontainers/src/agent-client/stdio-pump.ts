import { AgentService } from "@kata-containers/protocols";
import { isSysError, O, ops } from "@kata-containers/sys";
import type { Agent, ProcessRef } from "./agent.ts";

/** Bytes a read of output asks for: a whole pipe of the agent's, so that the round trip does not count. */
export const OUTPUT_BYTES = 1 << 20;

/** Bytes of input a request carries. Blocked input waits in the agent, within its connection's 32 MiB: keep it small. */
const INPUT_BYTES = 256 << 10;

/**
 * Moves a process's output into a descriptor until its end. Two blocks are under way at most: one is being written to
 * the sink while the next is on its way. A sink that takes nothing thus stops the process in the guest, and nothing else.
 * A sink that is gone (EPIPE) does not: the rest is read and dropped, so that the process's exit is seen.
 */
export async function pumpOutput(
  agent: Agent,
  stream: "stdout" | "stderr",
  process: ProcessRef,
  sink: number,
): Promise<void> {
  let target = sink;
  let nowhere = -1;
  const dropRest = (error: unknown): void => {
    if (!isSysError(error, "EPIPE", "EIO", "ECANCELED", "EBADF")) throw error;
    if (nowhere < 0) nowhere = ops.open("/dev/null", O.WRONLY | O.CLOEXEC, 0);
    target = nowhere;
  };
  let written: Promise<void> = Promise.resolve();
  try {
    for (;;) {
      const read = await agent.readInto(stream, process, target);
      await written;
      if (read.length === 0) return;
      written = read.written.catch(dropRest);
    }
  } finally {
    await written;
    if (nowhere >= 0) ops.close(nowhere);
  }
}

/**
 * Moves a descriptor into a process's stdin until its end, then closes the process's stdin. The next block is read
 * while one is on its way. Ends quietly when `source` is cancelled or the process takes no more.
 */
export async function pumpInput(agent: Agent, process: ProcessRef, source: number): Promise<void> {
  let sent: Promise<void> = Promise.resolve();
  for (;;) {
    const block = await ops.readBlock(source, INPUT_BYTES);
    await sent;
    if (block.len === 0) break;
    sent = agent.writeStdin(process, block);
    // Awaited one block later; until then nobody else looks at its failure.
    sent.catch(() => {});
  }
  await agent.request(AgentService.CloseStdin, process);
}
