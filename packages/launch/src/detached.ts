import type { NamespaceType } from "@kata-containers/oci";
import { MS } from "@kata-containers/sys";
import { entry } from "./entry.ts";
import { newMountAttributes } from "./mount-options.ts";
import type { MountContext } from "./mount-target.ts";
import type { Step } from "./plan.ts";

type Bind = Extract<Step, { readonly op: "bind" }>;
type Fsmount = Extract<Step, { readonly op: "fsmount" }>;

/** File systems that show a namespace of whoever mounts them, and take rights over it. */
const SHOWN: Readonly<Record<string, NamespaceType>> = {
  cgroup: "cgroup",
  cgroup2: "cgroup",
  mqueue: "ipc",
  proc: "pid",
  sysfs: "network",
};

/** fsconfig(2)'s words for what is the file system's of mount(2)'s flags. MS_SILENT and MS_I_VERSION mean nothing to those above. */
const WORDS: readonly (readonly [flag: number, word: string])[] = [
  [MS.RDONLY, "ro"],
  [MS.SYNCHRONOUS, "sync"],
  [MS.DIRSYNC, "dirsync"],
  [MS.LAZYTIME, "lazytime"],
  [MS.MANDLOCK, "mand"],
];

/** A mount whose file system is made before the container's user namespace takes the right away. */
type Detached = { readonly make: Fsmount; readonly attach: Bind };

/**
 * Takes a mount apart, if the container's user namespace may not make it: it shows a namespace that is joined, or the launcher's.
 * @param as a name for the descriptor between the two
 */
export function detach(step: Step, { namespaces, isUser }: MountContext, as: string): Detached | undefined {
  // A user has the rights nowhere else either.
  if (isUser || step.op !== "mount" || (step.flags & MS.REMOUNT) !== 0) return undefined;
  const shown = entry(SHOWN, step.fstype);
  if (shown === undefined || namespaces.hasRightsOver(shown)) return undefined;
  const { op: _, fstype, source, flags, data, ...where } = step;
  const words = WORDS.filter(([flag]) => (flags & flag) !== 0).map(([, word]) => word);
  return {
    make: {
      op: "fsmount",
      fstype,
      source,
      options: [...words, ...data.split(",").filter((option) => option !== "")],
      attributes: newMountAttributes(flags),
      // A pid namespace is entered by children alone.
      ...(shown === "pid" && namespaces.has("pid") ? { inChild: true } : {}),
      as,
    },
    attach: {
      op: "bind",
      source: fstype,
      tree: as,
      recursive: false,
      set: 0,
      clear: 0,
      setRecursive: 0,
      ...where,
    },
  };
}
