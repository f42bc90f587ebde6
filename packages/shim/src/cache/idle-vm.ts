import { KataError } from "@kata-containers/sys";
import { isObject, type Message } from "./control-socket.ts";

/** What an idle daemon says of its VM. */
export interface IdleVm {
  /** Of the VMM. */
  readonly pid: number;
  readonly vcpus: number;
  readonly memoryMiB: number;
}

/** What the server of the cache tells of it. */
export interface CacheStatus {
  readonly pid: number;
  readonly vms: readonly IdleVm[];
}

/** @throws KataError Internal for what is none */
export function parseIdleVm(value: unknown): IdleVm {
  if (isObject(value)) {
    const { pid, vcpus, memoryMiB } = value;
    if (isCount(pid) && isCount(vcpus) && isCount(memoryMiB)) return { pid, vcpus, memoryMiB };
  }
  throw new KataError("Internal", "an answer that tells of no virtual machine");
}

/** @throws KataError Internal for an answer that is none */
export function parseCacheStatus({ pid, vms }: Message): CacheStatus {
  if (isCount(pid) && Array.isArray(vms)) return { pid, vms: vms.map(parseIdleVm) };
  throw new KataError("Internal", "an answer that is no cache's status");
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}
