import {
  AT,
  Fd,
  isSysError,
  KataError,
  MOUNT_ATTR,
  MOVE_MOUNT,
  O,
  OPEN_TREE,
  ops,
} from "@kata-containers/sys";
import { type Finding, failure, ok } from "./finding.ts";

/** A path that cannot be there: what is asked of it fails after the system call itself was found. */
const NOWHERE = "/proc/self/kata-check-nowhere";

interface Feature {
  readonly name: string;
  /** The kernel that has it first. */
  readonly since: string;
  readonly use: () => void;
}

/** System calls that the daemon cannot do without, each called here. */
const FEATURES: readonly Feature[] = [
  { name: "pidfd_open", since: "5.3", use: () => ops.close(ops.pidfdOpen(ops.getpid())) },
  { name: "openat2", since: "5.6", use: () => ops.close(ops.openat2(AT.FDCWD, "/", { flags: O.PATH })) },
  { name: "memfd_create", since: "3.17", use: () => ops.close(ops.memfd("kata-check", true)) },
  { name: "open_tree", since: "5.2", use: () => cloneOfRoot().close() },
  {
    name: "mount_setattr",
    since: "5.12",
    use() {
      using tree = cloneOfRoot();
      ops.mountSetattr(tree.number, "", AT.EMPTY_PATH, { set: MOUNT_ATTR.NOSUID });
    },
  },
  {
    name: "move_mount",
    since: "5.2",
    use() {
      using tree = cloneOfRoot();
      unlessNowhere(() => ops.moveMount(tree.number, "", AT.FDCWD, NOWHERE, MOVE_MOUNT.F_EMPTY_PATH));
    },
  },
];

/** Whether the host's kernel has, and lets us use, what the daemon is built on. */
export function checkHostKernel(): Finding[] {
  const { release } = ops.uname();
  const found = FEATURES.map((feature) => ({ ...feature, obstacle: obstacleOf(feature) }));
  const missing = found.filter(({ obstacle }) => obstacle !== undefined);
  if (missing.length === 0)
    return [ok("host kernel", `${release}: ${found.map(({ name }) => name).join(", ")}`)];
  return missing.map(({ name, since, obstacle }) =>
    failure(
      "host kernel",
      `${release}: ${name}: ${obstacle}`,
      `use a kernel from ${since} on, as root, where no seccomp profile forbids the call`,
    ),
  );
}

function obstacleOf({ use }: Feature): string | undefined {
  try {
    use();
    return undefined;
  } catch (error) {
    return KataError.from(error).message;
  }
}

function cloneOfRoot(): Fd {
  return new Fd(ops.openTree(AT.FDCWD, "/", OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC));
}

function unlessNowhere(use: () => void): void {
  try {
    use();
  } catch (error) {
    if (!isSysError(error, "ENOENT")) throw error;
  }
}
