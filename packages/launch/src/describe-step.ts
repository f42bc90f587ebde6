import { shownPath } from "./cover-paths.ts";
import type { Step } from "./plan.ts";

/** A step in words, for errors: "mount proc on /proc". */
export function describeStep(step: Step): string {
  switch (step.op) {
    case "mount":
      return step.fstype === ""
        ? `remount ${step.target}`
        : `mount ${step.fstype === step.source ? step.fstype : `${step.fstype} ${step.source}`} on ${step.target}`;
    case "bind":
      return step.sourceRoot === undefined
        ? `bind ${step.source ?? "a mount"} on ${step.target}`
        : `make ${shownPath(step.root, step.target)} read-only`;
    case "mask":
      return `mask ${shownPath(step.root, step.path)}`;
    case "open":
    case "mkdir":
    case "symlink":
    case "mknod":
    case "remount":
    case "chdir":
    case "propagation":
    case "private_parent":
      return `${step.op.replace("_", " ")} ${step.path}`;
    case "write":
      return `write ${JSON.stringify(step.text.trimEnd())} to ${step.path}`;
    case "hostname":
    case "domainname":
      return `set the ${step.op} ${step.name}`;
    case "rlimit":
      return `set resource limit ${step.resource} to ${step.soft}:${step.hard}`;
    case "raise_rlimit":
      return `raise resource limit ${step.resource} to ${step.hard}`;
    case "user":
      return `become user ${step.uid}:${step.gid}`;
    case "find_executable":
      return `find ${step.file}`;
    case "open_tree":
      return `map the ids of ${step.source}`;
    case "fsmount":
      return `make ${step.fstype}`;
    case "scheduler":
      return `set scheduling policy ${step.policy}`;
    case "io_priority":
      return `set I/O priority ${step.class}:${step.priority}`;
    case "affinity":
      return `set the CPUs ${step.cpus.join(",") || "that the cpuset allows"}`;
    case "exec":
      return `exec ${step.argv[0] ?? ""}`;
    case "seccomp":
      return `install the seccomp filter of ${step.program.length / 2} instructions`;
    case "device_filter":
      return `attach the device filter of ${step.program.length / 2} instructions to ${step.cgroup}`;
    case "hook":
      return `${step.name} ${step.path}`;
    case "ask":
      return `have the spawner run ${step.what}`;
    case "sync":
      return `${step.side === "send" ? "tell" : "wait for"} ${step.name}`;
    default:
      return step.op.replaceAll("_", " ");
  }
}
