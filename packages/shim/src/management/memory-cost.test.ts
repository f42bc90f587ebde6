import { type Ops, SysError, setOps } from "@kata-containers/sys";
import type { Sandbox } from "@kata-containers/virtcontainers";
import { afterEach, expect, test } from "vitest";
import { memoryCost } from "./memory-cost.ts";

afterEach(() => setOps(undefined));

/** Processes whose /proc files these are. */
function useProc(files: Record<string, string>): void {
  const fake: Partial<Ops> = {
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw new SysError("ENOENT", "open", path);
      return new TextEncoder().encode(text);
    },
    utf8Decode: (bytes) => new TextDecoder().decode(bytes),
  };
  setOps(fake as Ops);
}

const pss = (KiB: number) => `5570-7ffc [rollup]\nRss: 9999 kB\nPss:   ${KiB} kB\nPss_Dirty: 1 kB\n`;
const stat = (pid: number) => `${pid} (a b) S ${"1 ".repeat(18)}${pid} 0\n`;

type Fake = { processes: [name: string, pid: number][]; shims: [hostPid: number, hasEnded: boolean][] };

function sandbox({ processes, shims }: Fake): Sandbox {
  return {
    machine: {
      processes: processes.map(([name, pid]) => ({ name, identity: { pid, startTime: pid } })),
    },
    containers: () => [
      {
        processes: new Map(
          shims.map(([hostPid, hasEnded], at) => [String(at), { hostPid, exit: hasEnded ? {} : undefined }]),
        ),
      },
    ],
  } as unknown as Sandbox;
}

const figures = (text: string) =>
  Object.fromEntries(
    [...text.matchAll(/item="([\w-]+)"} (\d+)/g)].map(([, item, bytes]) => [item, Number(bytes)]),
  );

test("each process counts once, virtiofsd's worker with it, and all kata-shims as one", () => {
  useProc({
    "/proc/self/smaps_rollup": pss(1),
    "/proc/10/stat": stat(10),
    "/proc/10/smaps_rollup": pss(2),
    "/proc/11/stat": stat(11),
    "/proc/11/smaps_rollup": pss(4),
    "/proc/11/task/11/children": "12 ",
    "/proc/12/smaps_rollup": pss(8),
    "/proc/20/smaps_rollup": pss(16),
    "/proc/21/smaps_rollup": pss(32),
  });
  const text = memoryCost(
    sandbox({
      processes: [
        ["qemu", 10],
        ["virtiofsd", 11],
      ],
      shims: [
        [20, false],
        [21, false],
        [0, false],
      ],
    }),
  );
  expect(text).toContain("# TYPE kata_sandbox_proportional_memory_bytes gauge\n");
  const KiB = 1024;
  expect(figures(text)).toEqual({ daemon: KiB, vmm: 2 * KiB, virtiofsd: 12 * KiB, "kata-shim": 48 * KiB });
});

test("what has ended, and what is another process now, does not count", () => {
  useProc({
    "/proc/self/smaps_rollup": pss(1),
    // Started later than ours: the pid is another's.
    "/proc/10/stat": stat(11),
    "/proc/10/smaps_rollup": pss(2),
    "/proc/20/smaps_rollup": pss(16),
  });
  const text = memoryCost(sandbox({ processes: [["qemu", 10]], shims: [[20, true]] }));
  expect(figures(text)).toEqual({ daemon: 1024 });
});
