import { type Dirent, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { linkTarget, list, pids, read } from "./leaks.ts";

/** What kind of thing outlives the processes that made it. */
type ThingKind = "mount" | "cgroup" | "network namespace" | "interface" | "file";

export interface Thing {
  readonly kind: ThingKind;
  /** Its path or name; of a mount what is mounted, too. */
  readonly name: string;
}

/** Places of the programs' own, looked at with all that is below. */
const FILES = ["/run/vc", "/run/kata", "/run/kata-containers", "/run/runk", "/dev/shm"];
/** Made once, for all sandboxes there will be. */
const PERMANENT = new Set(["/run/vc/cgroups", "/run/vc/containerd", "/run/vc/index", "/run/vc/sbs"]);
/** What the directory of a test's own is called (`Scratch`), with the pid behind it. */
export const SCRATCH_PREFIX = "kata-scratch-";
/** What the tests call their directories in /tmp and /var/tmp. */
const SCRATCH = new RegExp(
  `^(${SCRATCH_PREFIX}|(kata-(e2e|guest|clients)|runk-(test|output)|device-filter|conformance)-)`,
);

/** All of them on the host, whoever's they are and whatever they are called, by a line of text. */
export function thingsOnHost(): Map<string, Thing> {
  const things: Thing[] = [
    ...mounts().map((name): Thing => ({ kind: "mount", name })),
    ...entriesBelow("/sys/fs/cgroup", isDirectory).map((name): Thing => ({ kind: "cgroup", name })),
    ...list("/run/netns").map((name): Thing => ({ kind: "network namespace", name })),
    ...list("/sys/class/net").map((name): Thing => ({ kind: "interface", name })),
    ...files().map((name): Thing => ({ kind: "file", name })),
  ];
  return new Map(things.map((thing) => [`${thing.kind}: ${thing.name}`, thing]));
}

/** Mount point, type, and what of it is mounted: not the ids, which say nothing. */
function mounts(): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [, , , root, point] = line.split(" ");
      return `${point} (${line.split(" - ")[1]?.split(" ")[0]} ${root})`;
    });
}

function files(): string[] {
  const scratch = ["/tmp", "/var/tmp", tmpdir()].flatMap((directory) =>
    list(directory)
      .filter((name) => SCRATCH.test(name))
      .map((name) => `${directory}/${name}`),
  );
  const own = FILES.flatMap((directory) => entriesBelow(directory, () => true));
  return [...own.filter((path) => !PERMANENT.has(path)), ...scratch];
}

function isDirectory(entry: Dirent): boolean {
  return entry.isDirectory();
}

function entriesBelow(directory: string, wanted: (entry: Dirent) => boolean): string[] {
  return entriesOf(directory).flatMap((entry) => {
    const path = `${directory}/${entry.name}`;
    return [...(wanted(entry) ? [path] : []), ...(entry.isDirectory() ? entriesBelow(path, wanted) : [])];
  });
}

/** None when somebody else removed it while we looked. */
function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Whether a process has it: a file open or mapped, a control group as its own. */
export function isInUse({ kind, name }: Thing): boolean {
  if (kind === "cgroup") return hasMember(name);
  if (kind !== "file") return false;
  return pids().some(
    (pid) =>
      read(`/proc/${pid}/maps`).includes(` ${name}\n`) ||
      list(`/proc/${pid}/fd`).some((fd) => linkTarget(`/proc/${pid}/fd/${fd}`) === name),
  );
}

/** A threaded group of cgroup v2 does not tell its members, for they are threads. */
function hasMember(cgroup: string): boolean {
  try {
    return (
      readFileSync(`${cgroup}/cgroup.procs`, "utf8") !== "" ||
      entriesOf(cgroup)
        .filter(isDirectory)
        .some(({ name }) => hasMember(`${cgroup}/${name}`))
    );
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EOPNOTSUPP";
  }
}
