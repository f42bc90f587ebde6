import { ops } from "./ops.ts";

let lastId = 0;

/** setTimeout of the engine: one native timer each. */
export function setTimer(callback: () => void, ms = 0): number {
  const id = ++lastId;
  void run(id, callback, ms);
  return id;
}

/** clearTimeout of the engine. An unknown or past timer is no error. */
export function clearTimer(id: number | undefined): void {
  if (id !== undefined) ops.sleepCancel(id);
}

async function run(id: number, callback: () => void, ms: number): Promise<void> {
  if (await ops.sleep(id, Math.max(0, Number(ms) || 0))) callback();
}
