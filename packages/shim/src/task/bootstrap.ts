import { BootstrapParams, BootstrapResult } from "@kata-containers/protocols";
import { isSysError, ops } from "@kata-containers/sys";
import type { ShimArguments } from "./arguments.ts";

/** The version of the Task service that containerd is to call by. */
const TASK_VERSION = 3;

/** What is read at a time, and the most that is read in all: containerd's message has a few hundred bytes, and may have options. */
const CHUNK = 1 << 16;
const MAX_INPUT = 1 << 20;
/** How long a caller that has opened a pipe may take, ms: containerd has written by the time that the shim begins. */
const INPUT_MS = 2_000;

/**
 * The answer to `start`. containerd 2.3 and newer say on standard input what they start (BootstrapParams), and take a message that names
 * version 3 of the Task service. Older ones have nothing there, or the runtime's options; they take the address, and call by version 2.
 * @param input what standard input had
 */
export function startAnswer(
  { id, namespace }: Pick<ShimArguments, "id" | "namespace">,
  input: Uint8Array,
  address: string,
): string | Uint8Array {
  const params = decodeParams(input);
  // Options can be read as such a message: what they have in these fields is not on the command line.
  if (params?.instanceId !== id || params.namespace !== namespace) return address;
  return BootstrapResult.encode({ version: TASK_VERSION, address, protocol: "ttrpc" });
}

function decodeParams(input: Uint8Array): BootstrapParams | undefined {
  try {
    return BootstrapParams.decode(input);
  } catch {
    return undefined;
  }
}

/** What standard input has; nothing when there is none, when nobody writes, or too much. */
export async function readStartInput(): Promise<Uint8Array> {
  const input = new Uint8Array(MAX_INPUT);
  let length = 0;
  const timer = setTimeout(() => ops.cancel(0), INPUT_MS);
  try {
    while (length < MAX_INPUT) {
      const chunk = await ops.read(0, Math.min(CHUNK, MAX_INPUT - length));
      if (chunk.length === 0) return input.subarray(0, length);
      input.set(chunk, length);
      length += chunk.length;
    }
  } catch (error) {
    if (!isSysError(error)) throw error;
  } finally {
    clearTimeout(timer);
  }
  return new Uint8Array(0);
}
