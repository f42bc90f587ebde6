import { KataError } from "@kata-containers/sys";
import type { GuestProcessRow } from "./guest-process.ts";

/** One column of ps(1). */
interface Column {
  readonly header: string;
  readonly width: number;
  readonly right?: true;
  text(process: GuestProcessRow, nowMs: number): string;
}

const right = (header: string, width: number, text: Column["text"]): Column => ({
  header,
  width,
  right: true,
  text,
});
const left = (header: string, width: number, text: Column["text"]): Column => ({ header, width, text });

const ps = {
  pid: right("PID", 5, ({ pid }) => String(pid)),
  ppid: right("PPID", 5, ({ ppid }) => String(ppid)),
  uid: right("UID", 5, ({ uid }) => String(uid)),
  user: left("USER", 8, ({ user }) => user),
  c: right("C", 2, (process, now) => String(Math.min(99, Math.floor(share(process, now))))),
  pcpu: right("%CPU", 4, (process, now) => share(process, now).toFixed(1)),
  stime: left("STIME", 5, ({ startedMs }, now) => startText(startedMs, now)),
  tty: left("TTY", 8, ({ tty }) => tty || "?"),
  time: right("TIME", 8, ({ cpuMs }) => clock(cpuMs)),
  etime: right("ELAPSED", 11, ({ startedMs }, now) => elapsed(now - startedMs)),
  rss: right("RSS", 5, ({ rssKb }) => String(rssKb)),
  vsz: right("VSZ", 6, ({ vszKb }) => String(vszKb)),
  stat: left("STAT", 4, ({ state }) => state),
  ni: right("NI", 3, ({ nice }) => String(nice)),
  nlwp: right("NLWP", 4, ({ threads }) => String(threads)),
  comm: left("COMMAND", 15, ({ comm }) => comm),
  args: left("COMMAND", 27, ({ args, comm }) => args || `[${comm}]`),
} satisfies Record<string, Column>;

/** Names of columns for `-o`: ps's own and their synonyms (ps(1), "STANDARD FORMAT SPECIFIERS"). */
const COLUMNS: Readonly<Record<string, Column>> = {
  ...ps,
  euid: ps.uid,
  euser: ps.user,
  uname: ps.user,
  "%cpu": ps.pcpu,
  start_time: ps.stime,
  tt: left("TT", 8, ps.tty.text),
  tname: ps.tty,
  cputime: ps.time,
  rssize: ps.rss,
  rsz: ps.rss,
  vsize: ps.vsz,
  s: left("S", 1, ps.stat.text),
  state: left("S", 1, ps.stat.text),
  nice: ps.ni,
  thcount: ps.nlwp,
  ucmd: left("CMD", 15, ps.comm.text),
  cmd: left("CMD", 27, ps.args.text),
  command: ps.args,
};

const FULL: readonly Column[] = [
  left("UID", 8, ps.user.text),
  ps.pid,
  ps.ppid,
  ps.c,
  ps.stime,
  ps.tty,
  ps.time,
  left("CMD", 0, ps.args.text),
];

const BSD: readonly Column[] = [
  ps.user,
  ps.pid,
  ps.pcpu,
  ps.vsz,
  ps.rss,
  ps.tty,
  ps.stat,
  left("START", 5, ps.stime.text),
  ps.time,
  ps.args,
];

/**
 * The columns that ps's own arguments ask for. Every process of the container is shown, whatever they select.
 * @throws KataError InvalidArgument: only -e, -A, -f, aux and -o are known
 */
export function columnsOf(args: readonly string[]): readonly Column[] {
  let columns = FULL;
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? "";
    if (/^-[eAf]+$/.test(word)) continue;
    if (/^-?a?u?x?u?$/.test(word) && word.includes("u")) columns = BSD;
    else if (/^-[eAf]*o$/.test(word)) columns = named(args[++index] ?? "");
    else throw wrong(`unknown ps option ${JSON.stringify(word)} (known: -e, -A, -f, aux, -o COLUMNS)`);
  }
  return columns;
}

function named(list: string): readonly Column[] {
  return list.split(",").map((name) => {
    const column = Object.hasOwn(COLUMNS, name) ? COLUMNS[name] : undefined;
    if (column === undefined) {
      throw wrong(`unknown column ${JSON.stringify(name)} (known: ${Object.keys(COLUMNS).join(", ")})`);
    }
    return column;
  });
}

/** The table, with ps's widths; a cell that needs more room takes it. */
export function renderProcesses(
  processes: readonly GuestProcessRow[],
  columns: readonly Column[],
  nowMs: number,
): string {
  const cells = processes.map((process) => columns.map((column) => column.text(process, nowMs)));
  const rows = [columns.map(({ header }) => header), ...cells];
  const widths = columns.map(({ width }, at) =>
    at === columns.length - 1 ? width : widest(rows, at, width),
  );
  const line = (row: readonly string[]) =>
    row.map((cell, at) => pad(cell, widths[at] ?? 0, columns[at]?.right === true, at === row.length - 1));
  return rows.map((row) => `${line(row).join(" ").trimEnd()}\n`).join("");
}

function widest(rows: readonly (readonly string[])[], at: number, least: number): number {
  return Math.max(least, ...rows.map((row) => row[at]?.length ?? 0));
}

function pad(cell: string, width: number, toTheRight: boolean, last: boolean): string {
  if (toTheRight) return cell.padStart(width);
  return last ? cell : cell.padEnd(width);
}

/** Percent of one processor since the process began. */
function share({ cpuMs, startedMs }: GuestProcessRow, nowMs: number): number {
  return nowMs > startedMs ? Math.min(999, (cpuMs * 100) / (nowMs - startedMs)) : 0;
}

const two = (number: number): string => String(number).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_MS = 86_400_000;

/** The hour within a day, else the day: "20:15", "Nov24". */
function startText(startedMs: number, nowMs: number): string {
  const date = new Date(startedMs);
  if (nowMs - startedMs < DAY_MS) return `${two(date.getHours())}:${two(date.getMinutes())}`;
  return `${MONTHS[date.getMonth()]}${two(date.getDate())}`;
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** [[DD-]hh:]mm:ss */
function elapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor(seconds / 3600) % 24;
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  if (days > 0) return `${days}-${two(hours)}:${rest}`;
  return hours > 0 ? `${two(hours)}:${rest}` : rest;
}

function wrong(message: string): KataError {
  return new KataError("InvalidArgument", `ps: ${message}`);
}
