/**
 * The launch plan: what kata-launch (crates/launch) executes, in order, deciding nothing. JSON on descriptor 3.
 *
 * With `stage` empty there is one process: `init` runs where kata-launch was spawned and ends in `exec` (confinement of QEMU and
 * virtiofsd). With a `stage` list there are up to three:
 *
 *     spawner ── kata-launch S runs `stage` ──clone(CLONE_PARENT)── I runs `init`, a child of the spawner
 *                    └─fork── P runs `parent` (only when that list has steps), outside of S's new namespaces
 *
 * S sends {"pid"} with a pidfd of I on the control socket (descriptor 4) and exits. `sync` steps join S and P. Namespaces that
 * only children enter (pid, time) are unshared by S, so that I is the first process in them.
 *
 * Every path with a `root` is resolved inside that directory by openat2(RESOLVE_IN_ROOT), so that no symbolic link in a container's
 * file system leads out of it, and what is mounted is mounted on the descriptor found. Without `root` a path is the process's own.
 *
 * Numbers of flags are the kernel's (x86-64 and arm64 agree on those used). Rust's side: crates/launch/src/plan.rs.
 */
export type LaunchPlan = {
  /** Run from a sealed copy in memory, so that no process of the container can reach a writable host binary (CVE-2019-5736). */
  readonly sealed: boolean;
  readonly parent: readonly Step[];
  readonly stage: readonly Step[];
  readonly init: readonly Step[];
};

export type StepList = "parent" | "stage" | "init";

/** A descriptor: an inherited one by number, or one that an earlier step of the same process opened `as` this name. */
export type FdRef = number | string;

/** What to make when a mount's target is missing; "like-source": a directory or an empty file, as the bind's source is. */
export type CreateTarget = "directory" | "file" | "like-source";

/** Where something is mounted. */
export type Target = {
  readonly root?: FdRef;
  readonly target: string;
  readonly create?: CreateTarget;
  /** Refuse any symbolic link on the way: proc and sysfs are mounted on real directories or not at all (CVE-2019-19921). */
  readonly noSymlinks?: true;
  /** Refuse (EPERM) a target that, links resolved, lies on a file system of this type (f_type of statfs(2)): see proc-mounts.ts. */
  readonly notOn?: number;
};

type Operation =
  /** open(2), O_CLOEXEC added; in `root` when given. `on`: refuse (EPERM) what does not lie on this file system (f_type of statfs(2)). */
  | {
      readonly op: "open";
      readonly path: string;
      readonly flags: number;
      readonly as: string;
      readonly root?: FdRef;
      readonly on?: number;
    }
  | { readonly op: "close"; readonly fd: FdRef }
  /** Closes every descriptor from 3 up, the control socket and these excepted; those are closed on exec, `pass` is not. */
  | { readonly op: "close_others"; readonly keep: readonly FdRef[]; readonly pass: readonly number[] }
  /**
   * Gives the program these descriptors, each numbered higher than it will be, as 3, 4, … What has such a number is closed, the
   * control socket and `report_to`'s excepted: they move.
   */
  | { readonly op: "pass_fds"; readonly fds: readonly number[] }
  /**
   * One write(2) of `text` to a file that exists. `proc`: only to the kernel's own file below /proc, with nothing mounted on the way
   * (CVE-2019-16884, CVE-2025-52881); else EPERM or EXDEV. `or`: what is written instead when there is no such file.
   */
  | {
      readonly op: "write";
      readonly path: string;
      readonly text: string;
      readonly proc?: true;
      readonly or?: { readonly path: string; readonly text: string };
    }
  | { readonly op: "mkdir"; readonly path: string; readonly mode: number; readonly root?: FdRef }
  | { readonly op: "symlink"; readonly path: string; readonly to: string; readonly root?: FdRef }
  /** A device node or FIFO; `mode` has the type bits (S_IFCHR …). One of the same kind that is there already is kept. */
  | {
      readonly op: "mknod";
      readonly path: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
      readonly uid: number;
      readonly gid: number;
      readonly root?: FdRef;
    }

  // namespaces
  | { readonly op: "setns"; readonly fd: FdRef; readonly type: number }
  | { readonly op: "unshare"; readonly flags: number }
  /** Meets the other side (S and P) at `name`: "send" goes on at once, "wait" until the other has sent that name. */
  | { readonly op: "sync"; readonly name: string; readonly side: "send" | "wait" }
  /**
   * prctl(PR_SET_DUMPABLE), which is off from the start: a user who is not root may write the id maps only of a process that is.
   * Off again before it enters what belongs to a container.
   */
  | { readonly op: "dumpable"; readonly on: boolean }
  /** In `parent`: writes S's uid_map and gid_map; lines as in user_namespaces(7). */
  | { readonly op: "id_map"; readonly uid: string; readonly gid: string; readonly denySetgroups: boolean }
  | { readonly op: "hostname"; readonly name: string }
  | { readonly op: "domainname"; readonly name: string }
  /** Brings `lo` up in the process's network namespace. */
  | { readonly op: "loopback_up" }
  /** Copies cpuset.cpus and cpuset.mems downwards from `base` to `path` (cgroup v1) wherever they are empty. */
  | { readonly op: "inherit_cpuset"; readonly base: string; readonly path: string }
  /**
   * Loads a program of type BPF_PROG_TYPE_CGROUP_DEVICE and attaches it to a v2 cgroup, beside those that are there
   * (BPF_F_ALLOW_MULTI). `program`: struct bpf_insn as two words each, little-endian.
   */
  | { readonly op: "device_filter"; readonly cgroup: string; readonly program: readonly number[] }

  // mounts
  /** mount(2) with only propagation flags, on a path or, with `as`-opened `root`, inside it. */
  | { readonly op: "propagation"; readonly path: string; readonly flags: number }
  /** Makes the mount that holds `path` private: pivot_root(2) refuses a shared parent. */
  | { readonly op: "private_parent"; readonly path: string }
  /** mount(2) of a new file system. */
  | ({
      readonly op: "mount";
      readonly fstype: string;
      readonly source: string;
      readonly flags: number;
      readonly data: string;
      /** Begin with what the target holds: files, directories, links and nodes, with owner and mode, its own too, unless it was made for it. */
      readonly copyUp?: true;
      /** Give the new root the mode of the directory that it covers, unless that was made for it. */
      readonly keepMode?: true;
      /** Propagation flags for the new mount (MS_PRIVATE …), applied afterwards. */
      readonly propagation?: number;
    } & Target)
  /**
   * open_tree(OPEN_TREE_CLONE) of `source`, shown with the ids of a user namespace (mount_setattr, MOUNT_ATTR_IDMAP): the one at the
   * path `map`, or a new one with these lines of uid_map and gid_map. `mapRecursive`: the mounts below it, too.
   */
  | {
      readonly op: "open_tree";
      readonly source: string;
      readonly recursive: boolean;
      readonly map: string | { readonly uid: string; readonly gid: string };
      readonly mapRecursive: boolean;
      readonly as: string;
    }
  /**
   * fsopen(2), fsconfig(2), fsmount(2): a new file system, mounted nowhere yet; it shows the namespaces of this process. `options`: "key"
   * or "key=value". `attributes`: MOUNT_ATTR_*. `inChild`: opened by a child, which is in the pid namespace that this process has
   * entered for its children (procfs shows that of who opens it).
   */
  | {
      readonly op: "fsmount";
      readonly fstype: string;
      readonly source: string;
      readonly options: readonly string[];
      readonly attributes: number;
      readonly inChild?: true;
      readonly as: string;
    }
  /**
   * open_tree(OPEN_TREE_CLONE) of `source` (or a `tree` that the spawner or an earlier step has opened), mount_setattr on the clone, move_mount.
   * `set`/`clear`: MOUNT_ATTR_*; `setRecursive`/`clearRecursive`: the same for it and the mounts below it.
   */
  | ({
      readonly op: "bind";
      readonly source?: string;
      /** Resolve `source` inside this directory (the container's own files: read-only paths). */
      readonly sourceRoot?: FdRef;
      readonly tree?: FdRef;
      /** Refuse (EPERM) a source that does not lie on a file system of this type (f_type of statfs(2)). */
      readonly sourceOn?: number;
      readonly recursive: boolean;
      readonly set: number;
      readonly clear: number;
      readonly setRecursive: number;
      readonly clearRecursive?: number;
      readonly propagation?: number;
      /** The attached mount, as a descriptor for later steps. */
      readonly as?: string;
    } & Target)
  /** Covers a path of the container: a directory by an empty read-only tmpfs, all else by the host's /dev/null. */
  | { readonly op: "mask"; readonly path: string; readonly root: FdRef }
  /** mount_setattr on a path, not recursive. */
  | { readonly op: "remount"; readonly path: string; readonly set: number; readonly clear: number }
  /** pivot_root(2) into `root`, a mount; the old root is detached. Closes nothing: see close_others. */
  | { readonly op: "pivot_root"; readonly root: FdRef }
  /** chroot(2) into `root`: for a container without a mount namespace of its own. */
  | { readonly op: "chroot"; readonly root: FdRef }
  /** MS_MOVE of `root` onto / and chroot: for a mount namespace whose root is the initramfs, which cannot be pivoted. */
  | { readonly op: "move_root"; readonly root: FdRef }

  // terminal
  /**
   * A new pseudo terminal from `root`'s /dev/pts/ptmx: the master goes out over the control socket as {"fd":"console"}, the
   * slave becomes descriptors 0 to 2. `bindConsole`: also mounted on /dev/console.
   */
  | {
      readonly op: "console";
      readonly root: FdRef;
      readonly bindConsole: boolean;
      readonly uid: number;
      readonly gid?: number;
      readonly rows?: number;
      readonly columns?: number;
    }
  /** TIOCSCTTY on descriptor 0; after setsid. */
  | { readonly op: "controlling_terminal" }

  // the process
  | { readonly op: "setsid" }
  | { readonly op: "session_keyring"; readonly name: string }
  /** `resource`: RLIMIT_* number. -1 is RLIM_INFINITY. */
  | { readonly op: "rlimit"; readonly resource: number; readonly soft: number; readonly hard: number }
  /** Raises a hard limit that is lower, before a user namespace takes the right away. Soft limits stay, and hinder no step. */
  | { readonly op: "raise_rlimit"; readonly resource: number; readonly hard: number }
  /** sched_setattr(2): its numbers. Times are nanoseconds. */
  | {
      readonly op: "scheduler";
      readonly policy: number;
      readonly flags: number;
      readonly nice: number;
      readonly priority: number;
      readonly runtime: number;
      readonly deadline: number;
      readonly period: number;
    }
  /** ioprio_set(2): IOPRIO_CLASS_*. */
  | { readonly op: "io_priority"; readonly class: number; readonly priority: number }
  /** sched_setaffinity(2); none: all that the process's cpuset allows. */
  | { readonly op: "affinity"; readonly cpus: readonly number[] }
  /** personality(2): PER_*. */
  | { readonly op: "personality"; readonly persona: number }
  | { readonly op: "umask"; readonly mask: number }
  /** Gives descriptors 0 to 2 to the user, but /dev/null; what the file system refuses is left as it is. */
  | { readonly op: "chown_stdio"; readonly uid: number }
  /** setgroups unless `groups` is absent, setresgid, setresuid; `keepCapabilities` over the change of user. */
  | {
      readonly op: "user";
      readonly uid: number;
      readonly gid: number;
      readonly groups?: readonly number[];
      readonly keepCapabilities: boolean;
    }
  /** Capability sets as bit masks: drops all others from the bounding set. */
  | { readonly op: "bounding"; readonly keep: number }
  | {
      readonly op: "capabilities";
      readonly effective: number;
      readonly permitted: number;
      readonly inheritable: number;
      readonly ambient: number;
    }
  | { readonly op: "no_new_privileges" }
  /** seccomp(SECCOMP_SET_MODE_FILTER): needs no_new_privileges before, or CAP_SYS_ADMIN. */
  | SeccompStep
  /** A signal for when the spawner dies; fails with ESRCH when its pid is no longer `parent`. */
  | { readonly op: "parent_death_signal"; readonly signal: number; readonly parent: number }
  /**
   * chdir(2); refused when the result lies outside of the root (CVE-2024-21626). `ifNotYet`: nothing to do when an earlier chdir of
   * this process has succeeded.
   */
  | { readonly op: "chdir"; readonly path: string; readonly ifNotYet?: true }
  /** Adds HOME from the uid's line in /etc/passwd, "/" when there is none, to the environment of `exec`. */
  | { readonly op: "home"; readonly uid: number }
  /** Finds `file` on `path` (colon-separated) as execvp(3) does, for `exec` with `found`. Errors: ENOENT, EACCES, EISDIR. */
  | { readonly op: "find_executable"; readonly file: string; readonly path: string }
  /** Has the spawner do something ({"ask": what}) and waits for its answer; ends when there will be none. */
  | { readonly op: "ask"; readonly what: string }
  /** From here on a failure is told to whoever reads this descriptor, in place of the spawner, who may be gone. */
  | { readonly op: "report_to"; readonly fd: FdRef }
  | HookStep
  /** Tells the spawner that nothing but `wait` and `exec` are left: {"ready":true}. */
  | { readonly op: "ready" }
  /** Reads one byte from a descriptor (the exec FIFO); its end of file ends the process. */
  | { readonly op: "wait"; readonly fd: FdRef }
  /** execve of what find_executable found, or of an absolute path, or of a descriptor. */
  | {
      readonly op: "exec";
      readonly argv: readonly string[];
      readonly env: readonly string[];
      readonly program: "found" | { readonly path: string } | { readonly fd: FdRef };
    };

/**
 * Runs a program of this process's file system to its end, in a session of its own; it fails unless that ends with status 0 in time.
 * What it writes is kept for the error.
 */
export type HookStep = {
  readonly op: "hook";
  /** For errors: "hook createContainer[0]". */
  readonly name: string;
  readonly path: string;
  readonly argv: readonly string[];
  readonly env: readonly string[];
  /** Its standard input: what stands before and after this process's own pid, as it sees itself. */
  readonly state: readonly [string, string];
  /** It is killed, with its children, when it takes longer. */
  readonly seconds: number;
};

export type SeccompStep = {
  readonly op: "seccomp";
  /** SECCOMP_FILTER_FLAG_*. */
  readonly flags: number;
  /** struct sock_filter as two words each, little-endian: code, jt << 16, jf << 24; then k. */
  readonly program: readonly number[];
  /** The filter leaves calls to a listener, whose descriptor goes out over the control socket: {"fd":"seccomp"}. */
  readonly listener?: true;
};

/** Any step may name errno numbers that are as good as success: that choice is the compiler's. */
export type Step = Operation & { readonly ignore?: readonly number[] };
