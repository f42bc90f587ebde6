import type { ConfinedProcess } from "../../confine/spawn.ts";
import type { Qmp } from "./qmp.ts";

/**
 * Asks QEMU to quit, and kills it when it is still there after `deadlineMs`, or cannot be asked. Its answers are not waited for: one
 * that hangs gives none, and what counts is its end.
 * @param qmp undefined: it did not say that it listens
 */
export async function stopQemu(
  process: Pick<ConfinedProcess, "endsWithin" | "kill">,
  qmp: Promise<Qmp | undefined>,
  deadlineMs: number,
): Promise<void> {
  const ended = process.endsWithin(deadlineMs);
  const asked = qmp.then((connected) => {
    // It may close the connection in place of an answer.
    connected?.execute("quit", undefined, deadlineMs).catch(() => {});
    return connected !== undefined && ended;
  });
  if (!(await Promise.race([ended, asked]))) await process.kill();
}
