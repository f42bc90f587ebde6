import { calls } from "./calls.ts";
import type { Random } from "./random.ts";

/** What is done while the fault happens. `join`: create of a container of the sandbox's pod. */
export const operations = ["create", "join", "start", "exec", "delete", "force-delete"] as const;
export type Operation = (typeof operations)[number];

/**
 * Whose system calls: the command's; the daemon's; of the daemon and of all that it starts (kata-launch, QEMU, virtiofsd); or of the
 * command and of all that it starts (kata-shim, the daemon and its own). With several processes the N-th call of every one is hit.
 */
const scopes = ["command", "daemon", "tree", "all"] as const;
export type Scope = (typeof scopes)[number];

/** What is watched in an operation: only create, join and exec start anything. */
export function scopesOf(operation: Operation): readonly Scope[] {
  if (operation === "create") return scopes;
  return operation === "exec" || operation === "join" ? ["command", "daemon", "all"] : ["command", "daemon"];
}

/**
 * Who is killed. The guest ends by a panic of its kernel. Of the kata-shims one is the sandbox's own container's, one the executed
 * process's, one the joining container's.
 */
export const victims = [
  "command",
  "daemon",
  "qemu",
  "virtiofsd",
  "kata-shim",
  "guest",
  "exec-shim",
  "join-shim",
] as const;
export type Victim = (typeof victims)[number];

/** Who lives in one operation only. */
const OF_ONE: { readonly [victim in Victim]?: Operation } = { "exec-shim": "exec", "join-shim": "join" };

/** Who lives while an operation is done: a container that has stopped has neither VM nor process. */
export function victimsOf(operation: Operation): readonly Victim[] {
  if (operation === "delete") return ["command", "daemon"];
  return victims.filter((victim) => (OF_ONE[victim] ?? operation) === operation);
}

/** Whether the sandbox lives on: the fault is in the command, or in what stands for another process than its own container's. */
export function sparesSandbox(point: Point): boolean {
  if (point.kind === "call") return point.scope === "command";
  return ["command", "exec-shim", "join-shim"].includes(point.victim);
}

export type Point = { readonly operation: Operation } & (
  | {
      readonly kind: "call";
      readonly scope: Scope;
      readonly call: string;
      readonly nth: number;
      readonly effect: string;
    }
  /** @property moment a part of the time that the operation takes undisturbed */
  | { readonly kind: "kill"; readonly victim: Victim; readonly moment: number }
  /** @property change after that many changes of the record since the operation began */
  | { readonly kind: "record"; readonly victim: Victim; readonly change: number }
);

/** What an undisturbed run of each operation does. */
export interface Census {
  /** How often each call is made, by operation and scope. */
  readonly calls: readonly {
    readonly operation: Operation;
    readonly scope: Scope;
    readonly counts: ReadonlyMap<string, number>;
  }[];
  /** How long it takes, ms. */
  readonly durations: ReadonlyMap<Operation, number>;
  /** How often it changes the record. */
  readonly changes: ReadonlyMap<Operation, number>;
}

/** A point as one word, which `parsePoint` understands: `create/call/daemon/mkdir/3/ENOSPC`, `exec/kill/qemu/0.421`. */
export function pointName(point: Point): string {
  const { operation, kind } = point;
  if (kind === "call") return [operation, kind, point.scope, point.call, point.nth, point.effect].join("/");
  const when = kind === "kill" ? point.moment.toFixed(3) : point.change;
  return [operation, kind, point.victim, when].join("/");
}

export function parsePoint(name: string): Point {
  const [first, kind, who, ...rest] = name.split("/");
  const operation = operations.find((each) => each === first);
  const victim = victims.find((each) => each === who);
  const scope = scopes.find((each) => each === who);
  const [call = "", nth = "", effect = ""] = rest;
  if (operation !== undefined && kind === "call" && scope !== undefined && effect !== "") {
    return { operation, kind, scope, call, nth: Number(nth), effect };
  }
  if (operation !== undefined && kind === "kill" && victim !== undefined) {
    return { operation, kind, victim, moment: Number(call) };
  }
  if (operation !== undefined && kind === "record" && victim !== undefined) {
    return { operation, kind, victim, change: Number(call) };
  }
  throw new Error(`KATA_FAULT_POINT: ${JSON.stringify(name)} names no point`);
}

/** Each victim's death at each change of the record that each operation makes. */
export function recordPoints({ changes }: Census): Point[] {
  return [...changes].flatMap(([operation, count]) =>
    Array.from({ length: count }, (_, i) => i + 1).flatMap((change) =>
      victimsOf(operation).map((victim): Point => ({ operation, kind: "record", victim, change })),
    ),
  );
}

export function randomPoint(random: Random, census: Census): Point {
  const share = random.fraction();
  if (share < 0.65) return randomCall(random, census);
  const operation = random.pick(operations);
  const victim = random.pick(victimsOf(operation));
  const changes = census.changes.get(operation) ?? 0;
  // Some of the moments lie after the end: the operation has just succeeded.
  if (share < 0.9 || changes === 0) {
    return { operation, kind: "kill", victim, moment: Math.round(random.fraction() * 1100) / 1000 };
  }
  return { operation, kind: "record", victim, change: 1 + random.below(changes) };
}

function randomCall(random: Random, census: Census): Point {
  const { operation, scope, counts } = random.pick(census.calls);
  // Of the others the first and only execve is strace's own.
  const call = random.pick([...counts.keys()].filter((each) => scope === "tree" || each !== "execve"));
  const nth = 1 + random.below(counts.get(call) ?? 1);
  // Half of the faults are deaths.
  const effect = random.fraction() < 0.5 ? "SIGKILL" : random.pick(calls[call] ?? []);
  return { operation, kind: "call", scope, call, nth, effect };
}
