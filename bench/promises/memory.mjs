import { memoryOf, withIdle } from "../containers.mjs";
import { pssKb, repeat } from "../measure.mjs";

/**
 * The memory of one process of a sandbox, in sandboxes of their own.
 * @param {string} name @param {string} promise @param {number} limitMb
 * @param {(container: {id: string, shimPid: number, daemonPid: number}) => number} kilobytes
 */
const inMemory = (name, promise, limitMb, kilobytes) => ({
  name,
  promise,
  measure: () =>
    repeat(() => ({ MB: withIdle(kilobytes) / 1024 }), {
      samples: 6,
      digits: 2,
      share: ({ MB }) => MB / limitMb,
    }),
});

export const daemonMemory = inMemory("daemon-memory", "PSS of the daemon ≤ 10 MB", 10, ({ daemonPid }) =>
  pssKb(daemonPid),
);

export const shimMemory = inMemory("shim-memory", "PSS of kata-shim ≤ 3 MB", 3, ({ shimPid }) =>
  pssKb(shimPid),
);

export const agentMemory = inMemory(
  "agent-memory",
  "RSS of the agent ≤ 8 MB",
  8,
  ({ id }) => memoryOf(id).agent / 1024,
);
