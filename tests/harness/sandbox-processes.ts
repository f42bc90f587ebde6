import { readdirSync, readFileSync } from "node:fs";
import { findTraces, linkTarget, type Traces } from "./leaks.ts";

/** What runs on the host of a sandbox. */
const SANDBOX_PROGRAMS = ["qemu", "virtiofsd", "containerd-shim-kata-v2", "kata-shim"] as const;
export type SandboxProgram = (typeof SANDBOX_PROGRAMS)[number];

/** Their pids; of each program the first, for virtiofsd may have forked, and the first is the parent. */
export function sandboxProcesses(traces: Traces): Map<SandboxProgram, number> {
  const pids = new Map<SandboxProgram, number>();
  for (const line of findTraces(traces)) {
    const [, pid, word] = /^process (\d+): (?:\S*\/)?([\w-]+)/.exec(line) ?? [];
    const program = SANDBOX_PROGRAMS.find((name) => name === word?.replace(/^qemu-.*/, "qemu"));
    if (program !== undefined && !pids.has(program)) pids.set(program, Number(pid));
  }
  return pids;
}

/** Where each descriptor leads: a path, `socket:[inode]`, `anon_inode:[eventfd]`. */
export function linksOf(pid: number): Map<number, string> {
  const directory = `/proc/${pid}/fd`;
  const links = readdirSync(directory).map((fd) => [Number(fd), linkTarget(`${directory}/${fd}`)] as const);
  // Without those that were closed in between.
  return new Map(links.filter(([, link]) => link !== ""));
}

/** The same without the inode's number, of memory that nobody can link to no more than its name. */
export function descriptorsOf(pid: number): Map<number, string> {
  const kind = (link: string) => link.replace(/:\[\d+\]$/, "").replace(/^(\/memfd:.*) \(deleted\)$/, "$1");
  return new Map([...linksOf(pid)].map(([fd, link]) => [fd, kind(link)]));
}

export interface MountOf {
  readonly place: string;
  /** Of ro or rw, nosuid, nodev and noexec those that are set, joined by commas. */
  readonly flags: string;
}

/** A process's mount points, below its root. */
export function mountsOf(pid: number | "self"): MountOf[] {
  return readFileSync(`/proc/${pid}/mountinfo`, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [, , , , place = "", flags = ""] = line.split(" ");
      return {
        place,
        flags: flags
          .split(",")
          .filter((flag) => FLAGS.includes(flag))
          .join(","),
      };
    });
}

const FLAGS = ["ro", "rw", "nosuid", "nodev", "noexec"];
