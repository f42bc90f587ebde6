import { afterEach, expect, test } from "vitest";
import { netDeviceFigures } from "./net-device-figures.ts";
import type { Ops } from "./ops.gen.ts";
import { setOps } from "./ops.ts";
import { processMetrics } from "./process-metrics.ts";
import { gauges } from "./prometheus.ts";
import { SysError } from "./sys-error.ts";

afterEach(() => setOps(undefined));

const FILES: Record<string, string> = {
  stat: `42 (a) R 9 (b) S 1 42 42 0 -1 4194560 100 0 0 0 11 22 33 44 20 0 7 0 987654 1000 20 18446744073709551615\n`,
  status:
    "Name:\tVmRSS: 7 kB\nVmPeak:\t    2000 kB\nVmRSS:\t    1000 kB\nRssAnon:\t     600 kB\nThreads:\t7\nHugetlbPages:\t       0 kB\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t6\n",
  io: "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 7\n",
};

/** A host where process 42 is; the files named in `refused` are not to be read. */
function useProc(refused: readonly string[] = []): void {
  const look = (path: string): string => {
    const name = /^\/proc\/42\/(\w+)$/.exec(path)?.[1] ?? "";
    if (refused.includes(name)) throw new SysError("EACCES", "open", path);
    const text = FILES[name];
    if (text === undefined && name !== "fd") throw new SysError("ENOENT", "open", path);
    return text ?? "";
  };
  const fake: Partial<Ops> = {
    readFile: (path) => new TextEncoder().encode(look(path)),
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
    readdir: (path) => [look(path), "0", "1"].map((name) => ({ name, type: "symlink" })),
  };
  setOps(fake as Ops);
}

test("a process is told of by threads, descriptors, memory in bytes, clock ticks and I/O, whatever it is called", () => {
  useProc();
  expect(
    processMetrics("k", 42, (name) => name.replaceAll("_", ""))
      .trimEnd()
      .split("\n"),
  ).toEqual([
    "# TYPE k_threads gauge",
    "k_threads 7",
    "# TYPE k_fds gauge",
    "k_fds 3",
    "# TYPE k_proc_status gauge",
    'k_proc_status{item="vmpeak"} 2048000',
    'k_proc_status{item="vmrss"} 1024000',
    'k_proc_status{item="rssanon"} 614400',
    'k_proc_status{item="hugetlbpages"} 0',
    'k_proc_status{item="voluntary_ctxt_switches"} 5',
    'k_proc_status{item="nonvoluntary_ctxt_switches"} 6',
    "# TYPE k_proc_stat gauge",
    'k_proc_stat{item="utime"} 11',
    'k_proc_stat{item="stime"} 22',
    'k_proc_stat{item="cutime"} 33',
    'k_proc_stat{item="cstime"} 44',
    "# TYPE k_io_stat gauge",
    'k_io_stat{item="rchar"} 1',
    'k_io_stat{item="wchar"} 2',
    'k_io_stat{item="syscr"} 3',
    'k_io_stat{item="syscw"} 4',
    'k_io_stat{item="readbytes"} 5',
    'k_io_stat{item="writebytes"} 6',
    'k_io_stat{item="cancelledwritebytes"} 7',
  ]);
});

test("what may not be read of a process is left out, and of one that is gone everything", () => {
  useProc(["io", "fd"]);
  expect(processMetrics("k", 42)).not.toMatch(/io_stat|fds/);
  expect(processMetrics("k", 42)).toContain("k_threads 7");
  expect(processMetrics("k", 43)).toBe("");
});

test("network devices are told of column by column, and their names cannot break the format", () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
e"\\0:   17  0    0    0    0     0          0         0       18       0    0    0    0     0       0          0
`;
  const lines = gauges("d", netDeviceFigures(text)).trimEnd().split("\n");
  expect(lines).toHaveLength(1 + 2 * 16);
  expect(lines).toContain('d{interface="lo",item="recv_multicast"} 8');
  expect(lines).toContain('d{interface="lo",item="sent_bytes"} 9');
  expect(lines).toContain('d{interface="lo",item="sent_compressed"} 16');
  expect(lines).toContain('d{interface="e\\"\\\\0",item="recv_bytes"} 17');
});
