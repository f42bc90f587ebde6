import { Fd, isSysError, KataError, O, ops, RESOLVE, readText, S } from "@kata-containers/sys";

/** One process of a container, as its own pid namespace sees it. What ListProcesses answers, as JSON. */
export interface ListedProcess {
  readonly pid: number;
  /** 0: its parent is outside of the container. */
  readonly ppid: number;
  readonly uid: number;
  /** By the container's own /etc/passwd, when it has the uid. */
  readonly user?: string;
  /** State letter of proc(5). */
  readonly state: string;
  /** "pts/0"; "" without a terminal. */
  readonly tty: string;
  /** Milliseconds since the epoch. */
  readonly startedMs: number;
  /** Processor time, ms. */
  readonly cpuMs: number;
  readonly rssKb: number;
  readonly vszKb: number;
  readonly nice: number;
  readonly threads: number;
  /** Its name (comm). */
  readonly comm: string;
  /** Arguments joined by blanks; "" for one that has none (a zombie). */
  readonly args: string;
}

/** All answers together stay below ttRPC's 4 MiB a message, however many processes there are. */
const MAX_TOTAL = 3 << 20;
const MAX_ARGS = 4096;
/** Bytes of one process without its arguments, about. */
const OVERHEAD = 256;
/** USER_HZ: the unit of times in /proc, in every kernel of ours. */
const TICK_MS = 10;
const PAGE_KB = 4;

/**
 * The processes with these pids; one that ends meanwhile is left out.
 * @param init pid of the container's first process, whose files name the users
 * @throws KataError ResourceExhausted when there are too many for one answer
 */
export function listProcesses(pids: readonly number[], init: number): ListedProcess[] {
  const room = Math.min(MAX_ARGS, Math.floor(MAX_TOTAL / Math.max(pids.length, 1)) - OVERHEAD);
  if (room < 0) throw new KataError("ResourceExhausted", `${pids.length} processes are too many to list`);
  const bootMs = bootTimeMs(readText("/proc/stat"));
  const users = parseUsers(containerFile(init, "etc/passwd"));
  const found = pids.flatMap((pid) => {
    try {
      const texts = ["stat", "status"].map((name) => readText(`/proc/${pid}/${name}`));
      const args = readText(`/proc/${pid}/cmdline`).replace(/\0+$/, "").replaceAll("\0", " ").slice(0, room);
      return [{ guestPid: pid, ...parseProcess(texts[0] ?? "", texts[1] ?? "", bootMs), args }];
    } catch (error) {
      if (isSysError(error, "ENOENT", "ESRCH")) return [];
      throw error;
    }
  });
  const inside = new Map(found.map(({ guestPid, pid }) => [guestPid, pid]));
  return found.map(({ guestPid: _, ppid, ...process }) => {
    const user = users.get(process.uid);
    return { ...process, ppid: inside.get(ppid) ?? 0, ...(user === undefined ? {} : { user }) };
  });
}

/** proc_pid_stat(5) and proc_pid_status(5); the ppid is the guest's. */
export function parseProcess(stat: string, status: string, bootMs: number): Omit<ListedProcess, "args"> {
  const open = stat.indexOf("(");
  const close = stat.lastIndexOf(")");
  const fields = stat.slice(close + 2).split(" ");
  // Counted as proc(5) does, from 1; the name is field 2.
  const field = (number: number) => Number(fields[number - 3] ?? 0);
  const line = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
  return {
    pid: Number(line("NSpid").split(/\s+/).at(-1)) || Number(stat.slice(0, open)),
    ppid: field(4),
    uid: Number(line("Uid").split(/\s+/)[1] ?? 0),
    state: fields[0] ?? "?",
    tty: terminalName(field(7)),
    startedMs: bootMs + field(22) * TICK_MS,
    cpuMs: (field(14) + field(15)) * TICK_MS,
    rssKb: field(24) * PAGE_KB,
    vszKb: Math.floor(field(23) / 1024),
    nice: field(19),
    threads: field(20),
    comm: stat.slice(open + 1, close),
  };
}

/** Device numbers of Linux's devices.txt: 136 to 143 are /dev/pts, 4 the consoles. */
function terminalName(number: number): string {
  const major = (number >> 8) & 0xfff;
  const minor = (number & 0xff) | ((number >> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${minor + (major - 136) * 256}`;
  return major === 4 ? `tty${minor}` : "";
}

function bootTimeMs(stat: string): number {
  return Number(/^btime (\d+)$/m.exec(stat)?.[1] ?? 0) * 1000;
}

/** passwd(5): the first name of each uid. */
export function parseUsers(passwd: string): Map<number, string> {
  const users = new Map<number, string>();
  for (const line of passwd.split("\n")) {
    const [name, , uid] = line.split(":");
    if (name && uid && /^[\w.-]{1,32}$/.test(name) && !users.has(Number(uid))) users.set(Number(uid), name);
  }
  return users;
}

/** A regular file of the container, at most 256 KiB; "" when it has none. Its links lead nowhere but into its own root. */
function containerFile(init: number, path: string): string {
  try {
    using root = new Fd(ops.open(`/proc/${init}/root`, O.PATH | O.DIRECTORY | O.CLOEXEC, 0));
    const flags = O.RDONLY | O.NONBLOCK | O.CLOEXEC;
    using file = new Fd(
      ops.openat2(root.number, path, { flags, resolve: RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS }),
    );
    if ((ops.fstat(file.number).mode & S.IFMT) !== S.IFREG) return "";
    return ops.utf8Decode(ops.pread(file.number, 256 << 10, 0));
  } catch (error) {
    if (isSysError(error)) return "";
    throw error;
  }
}
