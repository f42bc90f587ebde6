import { KataError, ops } from "@kata-containers/sys";
import { printable } from "../printable.ts";

/** A process in the guest, as kata-agent lists it (ListProcesses, format "processes"). */
export interface GuestProcessRow {
  readonly pid: number;
  readonly ppid: number;
  readonly uid: number;
  readonly user: string;
  readonly state: string;
  readonly tty: string;
  readonly startedMs: number;
  readonly cpuMs: number;
  readonly rssKb: number;
  readonly vszKb: number;
  readonly nice: number;
  readonly threads: number;
  readonly comm: string;
  readonly args: string;
}

const NUMBERS = ["pid", "ppid", "uid", "startedMs", "cpuMs", "rssKb", "vszKb", "nice", "threads"] as const;
const TEXTS = ["state", "tty", "comm", "args"] as const;

/**
 * Reads the agent's list. The guest is not trusted: every member is checked, and nothing in a text can command a terminal.
 * @throws KataError Internal
 */
export function parseGuestProcesses(json: Uint8Array): GuestProcessRow[] {
  let list: unknown;
  try {
    list = JSON.parse(ops.utf8Decode(json));
  } catch {
    throw wrong();
  }
  if (!Array.isArray(list)) throw wrong();
  return list.map(readRow);
}

function readRow(value: unknown): GuestProcessRow {
  if (typeof value !== "object" || value === null) throw wrong();
  const members = new Map<string, unknown>(Object.entries(value));
  const number = (name: (typeof NUMBERS)[number]) => {
    const member = members.get(name);
    if (typeof member !== "number" || !Number.isSafeInteger(Math.trunc(member))) throw wrong();
    return Math.trunc(member);
  };
  const text = (name: (typeof TEXTS)[number] | "user", otherwise?: string) => {
    const member = members.get(name) ?? otherwise;
    if (typeof member !== "string") throw wrong();
    return printable(member);
  };
  return {
    pid: number("pid"),
    ppid: number("ppid"),
    uid: number("uid"),
    user: text("user", String(number("uid"))),
    state: text("state"),
    tty: text("tty"),
    startedMs: number("startedMs"),
    cpuMs: number("cpuMs"),
    rssKb: number("rssKb"),
    vszKb: number("vszKb"),
    nice: number("nice"),
    threads: number("threads"),
    comm: text("comm"),
    args: text("args"),
  };
}

function wrong(): KataError {
  return new KataError("Internal", "the agent's list of processes is not what an agent sends");
}
