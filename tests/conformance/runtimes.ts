import { resolve } from "node:path";

/** An OCI runtime that the suite is run with. */
export interface OciRuntime {
  /** The program, and global options; `%` in one is a directory of the run's own. */
  readonly command: readonly string[];
  /** Shell commands that make the host, in a mount namespace of its own, one that suite and runtime can work on. */
  readonly host?: string;
  /** The newest version of the specification that it takes in config.json, when that is older than the suite's. */
  readonly ociVersion?: string;
}

/** Controllers that this machine's start has mounted nowhere. */
export const CONTROLLERS = ["hugetlb", "net_cls", "net_prio"];

/**
 * Makes the host one with cgroup v1 as the suite presumes it, every controller in a hierarchy: those that the kernel has and that are
 * nowhere are mounted.
 */
const WITH_CONTROLLERS = `
for name in ${CONTROLLERS.join(" ")}; do
  [ "$(stat -f -c %T /sys/fs/cgroup)" = tmpfs ] || break
  grep -q " - cgroup .*\\b$name\\b" /proc/self/mountinfo && continue
  mkdir -p /sys/fs/cgroup/$name
  mount -t cgroup -o $name cgroup /sys/fs/cgroup/$name 2>/dev/null
done
`;

/**
 * Gives those controllers back to cgroup v2, to be run in a mount namespace. A hierarchy ends with its last mount and its last cgroup,
 * also one that has been removed and is still on its way out: so it is mounted, emptied and unmounted until it has.
 */
export const WITHOUT_CONTROLLERS = `
root=/sys/fs/cgroup
for name in ${CONTROLLERS.join(" ")}; do
  grep -q " - cgroup .*\\b$name\\b" /proc/self/mountinfo && continue
  for try in 1 2 3 4 5 6 7 8; do
    grep -qw "$name" /proc/self/cgroup || break
    mkdir -p $root/$name
    mount -t cgroup -o $name cgroup $root/$name || break
    find $root/$name -mindepth 1 -depth -type d -exec rmdir {} \\; 2>/dev/null
    umount $root/$name
    sleep 0.3
  done
done`;

/** Those whose containers are on the host. */
export const NATIVE = {
  runk: { command: [resolve("build/bin/runk"), "--root", "%/state"], host: WITH_CONTROLLERS },
  runc: { command: ["runc", "--root", "%/state"], host: WITH_CONTROLLERS },
  // It refuses cgroup v1 beside v2, and a specification newer than it is.
  crun: {
    command: ["crun", "--root", "%/state"],
    host: `${WITH_CONTROLLERS}umount /sys/fs/cgroup/unified 2>/dev/null`,
    ociVersion: "1.0.2",
  },
} as const satisfies Readonly<Record<string, OciRuntime>>;

/** A program that is the runtime with its options: the suite starts one without any. */
export function wrapperOf({ command, ociVersion }: OciRuntime, directory: string): string {
  const words = command.map((word) => quoted(word.replace(/^%/, directory)));
  const older = ociVersion === undefined ? "" : withVersion(ociVersion);
  return `#!/bin/sh\n${older}exec ${words.join(" ")} "$@"\n`;
}

/** Lowers the version in the bundle's config.json; one that is none is the suite's own trial. */
function withVersion(version: string): string {
  const edit = `s/"ociVersion": *"1[0-9.]*"/"ociVersion": "${version}"/`;
  return `for word; do
  [ "$before" != --bundle ] || sed -i '${edit}' "$word/config.json"
  before=$word
done
`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
