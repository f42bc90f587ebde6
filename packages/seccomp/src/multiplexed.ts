import type { Condition } from "./condition.ts";
import type { Rule } from "./rule.ts";

/** Calls of i386 that also go through socketcall(2), by its first argument (linux/net.h, SYS_SOCKET = 1 …). */
const SOCKETCALL =
  "socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg";

/** Those that also go through ipc(2), with their values of its first argument (linux/ipc.h). */
const IPC: Readonly<Record<string, number>> = {
  semop: 1,
  semget: 2,
  semctl: 3,
  semtimedop: 4,
  msgsnd: 11,
  msgrcv: 12,
  msgget: 13,
  msgctl: 14,
  shmat: 21,
  shmdt: 22,
  shmget: 23,
  shmctl: 24,
};

/** The multiplexing call that a call also comes through, and what its first argument is then. */
export function multiplexer(name: string): { readonly name: string; readonly selector: number } | undefined {
  const ipc = Object.hasOwn(IPC, name) ? IPC[name] : undefined;
  if (ipc !== undefined) {
    return { name: "ipc", selector: ipc };
  }
  const selector = SOCKETCALL.split(" ").indexOf(name) + 1;
  return selector > 0 ? { name: "socketcall", selector } : undefined;
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
