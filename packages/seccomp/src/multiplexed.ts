import type { Condition } from "./condition.ts";
import type { Rule } from "./rule.ts";
import { parseTable } from "./syscall-table.ts";

/** Calls of i386 that also go through socketcall(2), in the order of its first argument (linux/net.h, SYS_SOCKET = 1 …). */
const SOCKETCALL =
  "socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg";

/** Those that also go through ipc(2), with gaps in its first argument (linux/ipc.h): a number says where the next stands. */
const IPC = "1 semop semget semctl semtimedop 11 msgsnd msgrcv msgget msgctl 21 shmat shmdt shmget shmctl";

export type Multiplexer = { readonly name: string; readonly selector: number };

/** By name, the call that a call also comes through, and what its first argument is then. */
export function parseMultiplexers(): ReadonlyMap<string, Multiplexer> {
  const entries = (name: string, encoded: string) =>
    [...parseTable(encoded)].map(([call, selector]) => [call, { name, selector }] as const);
  return new Map([...entries("socketcall", `1 ${SOCKETCALL}`), ...entries("ipc", IPC)]);
}

/**
 * The same rule for a call that comes through its multiplexer. The arguments of socketcall lie in memory, where no filter
 * can see them: as in libseccomp, what the rule says of the first argument is replaced by the selector, and the others are
 * taken for the multiplexer's own.
 */
export function throughMultiplexer(rule: Rule, selector: number): Rule {
  const selected: Condition = {
    index: 0,
    test: "==",
    negated: false,
    rank: 3,
    value: BigInt(selector),
    mask: (1n << 64n) - 1n,
  };
  return { ...rule, conditions: [selected, ...rule.conditions.filter((condition) => condition.index !== 0)] };
}
