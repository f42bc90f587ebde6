import { createHash } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./process.ts";

/** What a suite's containers are called and where they live: everything of theirs on the host bears one of these. */
export interface Traces {
  readonly root: string;
  readonly ids: readonly string[];
}

/** sandboxHash of virtcontainers, computed independently: names sockets, index entries, cgroups, taps. */
export function hashOf(root: string, id: string): string {
  return createHash("sha256").update(`${root}\0${id}`).digest("hex").slice(0, 16);
}

/**
 * Everything on the host that bears the traces: processes (by command line and by cgroup), mounts, network namespaces,
 * interfaces, cgroups, sockets, index entries, directories. Other people's containers are not looked at.
 */
export function findTraces({ root, ids }: Traces): string[] {
  const marks = [root, ...ids, ...ids.map((id) => hashOf(root, id))];
  const marked = (text: string) => marks.some((mark) => text.includes(mark));
  return [
    ...processes(marked),
    ...mounts(marked),
    ...names("/run/netns", "network namespace", marked),
    ...names("/sys/class/net", "interface", marked),
    ...cgroups(marked),
    ...names("/run/vc", "socket", marked),
    ...names("/run/vc/index", "index entry", marked),
    ...links("/run/vc/cgroups", "cgroup claim", marked),
    ...names("/run/kata-containers", "directory", marked),
    ...names("/run/kata", "directory", marked),
    ...names(root, "state directory", () => true),
  ];
}

/** Fails unless all traces are gone; what is still ending gets a moment. */
export async function expectNoLeaks(traces: Traces): Promise<void> {
  let left: string[] = [];
  try {
    await eventually(
      "no leaks",
      () => {
        left = findTraces(traces);
        return left.length === 0 ? true : undefined;
      },
      5_000,
    );
  } catch {
    throw new Error(`left behind:\n${left.join("\n")}`);
  }
}

function processes(marked: (text: string) => boolean): string[] {
  return pids().flatMap((pid) => {
    const cmdline = commandOf(pid);
    const cgroup = read(`/proc/${pid}/cgroup`);
    if (pid === process.pid || (!marked(cmdline) && !marked(cgroup)) || isZombie(pid)) return [];
    return [`process ${pid}: ${cmdline.slice(0, 200)}`];
  });
}

/** Its words; its name, in parentheses, when it has none. */
export function commandOf(pid: number): string {
  const words = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
  return words || `(${read(`/proc/${pid}/comm`).trim()})`;
}

/** 0: it has none here, or is gone. */
export function parentOf(pid: number): number {
  return Number(/\) . (\d+)/.exec(read(`/proc/${pid}/stat`))?.[1] ?? 0);
}

/** It has ended, and waits for this machine's init to take notice. */
export function isZombie(pid: number): boolean {
  return /\) [ZX] /.test(read(`/proc/${pid}/stat`)) || read(`/proc/${pid}/stat`) === "";
}

export function pids(): number[] {
  return list("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function mounts(marked: (text: string) => boolean): string[] {
  return read("/proc/self/mountinfo")
    .split("\n")
    .filter(marked)
    .map((line) => `mount: ${line}`);
}

function cgroups(marked: (text: string) => boolean): string[] {
  const found: string[] = [];
  const visit = (directory: string, depth: number) => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const path = join(directory, entry.name);
      if (marked(entry.name)) found.push(`cgroup: ${path}`);
      else if (depth < 5) visit(path, depth + 1);
    }
  };
  try {
    visit("/sys/fs/cgroup", 0);
  } catch (error) {
    // A cgroup of somebody else's that went away while we looked.
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
  return found;
}

function names(directory: string, what: string, marked: (text: string) => boolean): string[] {
  return list(directory)
    .filter(marked)
    .map((name) => `${what}: ${join(directory, name)}`);
}

function links(directory: string, what: string, marked: (text: string) => boolean): string[] {
  return list(directory)
    .filter((name) => marked(linkTarget(join(directory, name))))
    .map((name) => `${what}: ${join(directory, name)}`);
}

export function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

export function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Target of a link, "" when it (a process, if it is one of /proc) is gone. */
export function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
