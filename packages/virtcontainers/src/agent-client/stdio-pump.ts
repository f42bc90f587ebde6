import { AgentService } from "@kata-containers/protocols";
import { type Block, isSysError, O, ops } from "@kata-containers/sys";
import type { Agent, ProcessRef } from "./agent.ts";
import { OutputShare } from "./output-share.ts";

/** Bytes of input a request carries at most. */
const LARGE_INPUT = 256 << 10;
/** The same when there is no room for a large one. */
const SMALL_INPUT = 4 << 10;
/**
 * Large blocks of input that one agent's processes may have together, from the read on until their process has taken them: one that does not
 * read keeps two, one of them in the agent, the other here. Without a bound 30 such processes would fill the agent's 8 MB,
 * and 128 its connection's 32 MiB, past which it answers nobody.
 */
const LARGE_BLOCKS = 8;

const largeBlocks = new WeakMap<Agent, number>();

/**
 * Moves a process's output into a descriptor until its end. Two blocks are under way at most: one is being written to
 * the sink while the next is on its way. A sink that takes nothing thus stops the process in the guest, and nothing else.
 * @param lost what becomes of the rest when the sink takes no more (EPIPE, a full disk): it is read and dropped, so that the process goes on
 *   and its exit is seen; or the sink's error is thrown
 * @throws KataError the agent's; SysError of write(2)
 */
export async function pumpOutput(
  agent: Agent,
  stream: "stdout" | "stderr",
  process: ProcessRef,
  sink: number,
  lost: "drop" | "fail" = "drop",
): Promise<void> {
  let target = sink;
  let nowhere = -1;
  const dropRest = (error: unknown): void => {
    if (!isSysError(error)) throw error;
    if (nowhere < 0) nowhere = ops.open("/dev/null", O.WRONLY | O.CLOEXEC, 0);
    target = nowhere;
  };
  let written: Promise<void> = Promise.resolve();
  using share = new OutputShare(agent);
  try {
    for (;;) {
      const read = await agent.readInto(stream, process, share.size, target);
      share.adapt(read.length);
      await written;
      if (read.length === 0) return;
      written = lost === "drop" ? read.written.catch(dropRest) : read.written;
      // Awaited when the next has come; until then nobody else looks at its failure.
      written.catch(() => {});
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
    // A process whose input is silent keeps no room from the others.
    await ops.readable(source);
    const large = takeLarge(agent);
    const next = readInput(source, large ? LARGE_INPUT : SMALL_INPUT, sent);
    const passed = next.then((block) => (block.len > 0 ? agent.writeStdin(process, block) : undefined));
    sent = large ? passed.finally(() => giveLarge(agent)) : passed;
    // Awaited one block later; until then nobody else looks at its failure.
    sent.catch(() => {});
    if ((await next).len === 0) break;
  }
  await agent.request(AgentService.CloseStdin, process);
}

/** The next block, once the one before was taken. */
async function readInput(source: number, max: number, sent: Promise<void>): Promise<Block> {
  const block = await ops.readBlock(source, max);
  try {
    await sent;
  } catch (error) {
    if (block.len > 0) ops.freeBlock(block.block);
    throw error;
  }
  return block;
}

/** Takes room for a large block, if there is. */
function takeLarge(agent: Agent): boolean {
  const taken = largeBlocks.get(agent) ?? 0;
  if (taken === LARGE_BLOCKS) return false;
  largeBlocks.set(agent, taken + 1);
  return true;
}

function giveLarge(agent: Agent): void {
  largeBlocks.set(agent, (largeBlocks.get(agent) ?? 0) - 1);
}
