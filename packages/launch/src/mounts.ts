import type { Mount, Spec } from "@kata-containers/oci";
import { MS } from "@kata-containers/sys";
import { cgroupMountSteps } from "./cgroup/mount-steps.ts";
import { detach } from "./detached.ts";
import { isIdMapped, openMapped } from "./id-mapped.ts";
import { labelledData } from "./labels.ts";
import { type MountOptions, parseMountOptions } from "./mount-options.ts";
import { changeFlags, type MountContext, ROOT, readOnlyAgain, targetOf } from "./mount-target.ts";
import type { Step } from "./plan.ts";
import { guardProc } from "./proc-mounts.ts";
import { invalid } from "./refuse.ts";

/** The steps of the spec's mounts, in its order. */
export type MountSteps = {
  /** In the launcher's namespaces. */
  readonly early: readonly Step[];
  /** In the namespaces that are joined, before a user namespace of the container's own. */
  readonly joined: readonly Step[];
  readonly now: readonly Step[];
  /** Those that become read-only when devices and links have been made. */
  readonly late: readonly Step[];
};

export function mountSteps(spec: Spec, context: MountContext): MountSteps {
  const early: Step[] = [];
  const joined: Step[] = [];
  const now: Step[] = [];
  const late: Step[] = [];
  const add = (step: Step) => {
    const detached = detach(step, context, `mount-${joined.length}`);
    if (detached !== undefined) joined.push(detached.make);
    now.push(detached?.attach ?? step);
  };
  for (const [index, mount] of (spec.mounts ?? []).entries()) {
    const where = `mounts[${index}]`;
    const options = parseMountOptions(mount.options ?? []);
    const isBind = mount.type === "bind" || options.bind;
    const isMapped = isIdMapped(mount, options);
    const isRemount = (options.flags & MS.REMOUNT) !== 0;
    if (isMapped && (!isBind || isRemount)) invalid(where, "only a bind mount can be id-mapped");
    if (isBind && isRemount) now.push(changeFlags(mount, options.flags));
    else if (isBind) {
      const bind = bindStep(mount, options, context, where);
      if (isMapped) early.push(openMapped(spec, mount, bind.source ?? "", options, index));
      now.push(isMapped ? { ...bind, tree: `tree-${index}` } : bind);
    } else if (mount.type === "cgroup" || mount.type === "cgroup2")
      for (const step of cgroupMountSteps(mount, options, context, where)) add(step);
    else {
      add(fileSystemStep(mount, options, context, where));
      if (isLateReadOnly(mount, options)) late.push(readOnlyAgain(mount, options));
    }
  }
  return { early, joined, now, late };
}

type Bind = Extract<Step, { readonly op: "bind" }>;

function bindStep(mount: Mount, options: MountOptions, context: MountContext, where: string): Bind {
  if (mount.source === undefined || mount.source === "") invalid(`${where}.source`, "a bind mount needs one");
  if (options.data !== "") {
    // As with mount(8), and as crun and runc 1.1 do: the file system is mounted already.
    context.warnings.push(`${where}.options: without effect on a bind mount: ${options.data}`);
  }
  const source = mount.source.startsWith("/") ? mount.source : `${context.bundle}/${mount.source}`;
  return {
    op: "bind",
    source,
    recursive: options.recursive,
    set: options.set,
    clear: options.clear,
    setRecursive: options.setRecursive,
    clearRecursive: options.clearRecursive,
    ...(options.propagation === 0 ? {} : { propagation: options.propagation }),
    root: ROOT,
    target: targetOf(mount),
    create: "like-source",
    ...guardProc(mount, true, where),
  };
}

function fileSystemStep(mount: Mount, options: MountOptions, context: MountContext, where: string): Step {
  if (mount.type === undefined || mount.type === "")
    invalid(`${where}.type`, "is missing, and it is no bind mount");
  const isTmpfs = mount.type === "tmpfs";
  if (options.tmpcopyup && !isTmpfs) invalid(`${where}.options`, "tmpcopyup is a tmpfs's alone");
  return {
    op: "mount",
    fstype: mount.type,
    source: mount.source ?? mount.type,
    flags: isLateReadOnly(mount, options) ? options.flags & ~MS.RDONLY : options.flags,
    data: labelledData(mount.type, options.data, context.label),
    ...(isTmpfs ? covering(options) : {}),
    ...(options.propagation === 0 ? {} : { propagation: options.propagation }),
    root: ROOT,
    target: targetOf(mount),
    create: "directory",
    ...guardProc(mount, false, where),
  };
}

/** What a tmpfs takes over from what it covers; with its contents comes the mode. */
function covering({ tmpcopyup, data }: MountOptions): { copyUp?: true; keepMode?: true } {
  if (tmpcopyup) return { copyUp: true };
  return /(^|,)mode=/.test(data) ? {} : { keepMode: true };
}

/** A read-only tmpfs (/dev above all) has to be filled first. */
function isLateReadOnly(mount: Mount, options: MountOptions): boolean {
  return mount.type === "tmpfs" && (options.flags & MS.RDONLY) !== 0;
}
