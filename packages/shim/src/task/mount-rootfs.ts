import { parseMountOptions } from "@kata-containers/launch";
import type { ContainerdMount } from "@kata-containers/protocols";
import { isSysError, KataError, MS, ops } from "@kata-containers/sys";

/** What mount(2) takes of options for the file system: a page with its end (fs/namespace.c, copy_mount_options). */
const MAX_DATA = 4095;

/**
 * Mounts what a snapshotter of containerd names as a root file system, one over the other. To be called in a mount namespace of its own.
 * @throws KataError naming the mount
 */
export function mountRootfs(mounts: readonly ContainerdMount[], target: string): void {
  for (const mount of mounts) mountOne(mount, target);
}

function mountOne({ type, source, options, target: below }: ContainerdMount, target: string): void {
  const what = `cannot mount ${type} ${source} for the root file system`;
  // Transformations of newer snapshotters (containerd docs/mounts.md): "mkdir/overlay", "format/ext4" …
  if (type.includes("/")) throw new KataError("Unimplemented", `${what}: transformations are not supported`);
  if (below !== "")
    throw new KataError("Unimplemented", `${what}: a target below it (${below}) is not supported`);
  const special = options.find((option) => option === "loop" || option.startsWith("X-"));
  if (special !== undefined)
    throw new KataError("Unimplemented", `${what}: option ${special} is not supported`);
  const { flags, data, bind, recursive, propagation } = parseMountOptions(options);
  try {
    if (bind || type === "bind") {
      ops.mount(source, target, "", MS.BIND | (recursive ? MS.REC : 0), "");
      if (flags !== 0) ops.mount("", target, "", MS.REMOUNT | MS.BIND | flags, "");
    } else {
      ops.mount(source, target, type, flags, fitting(type === "overlay" ? shortened(data) : data, what));
    }
    if (propagation !== 0) ops.mount("", target, "", propagation, "");
  } catch (error) {
    const hint = isSysError(error, "ENODEV") ? ` (the kernel has no ${type})` : "";
    throw KataError.from(error, `${what}${hint}`);
  }
}

/** What is longer the kernel would cut: an overlay would lose layers. */
function fitting(data: string, what: string): string {
  const { length } = ops.utf8Encode(data);
  if (length <= MAX_DATA) return data;
  throw new KataError("InvalidArgument", `${what}: options of ${length} bytes, the limit is ${MAX_DATA}`);
}

/** Many layers do not fit in one page: their paths are told from where most of them are, and this process goes there. */
function shortened(data: string): string {
  if (data.length <= MAX_DATA) return data;
  const parts = data.split(",");
  const at = parts.findIndex((part) => part.startsWith("lowerdir="));
  const layers = parts[at]?.slice("lowerdir=".length).split(":") ?? [];
  const common = commonDirectory(layers);
  if (common === "/") return data;
  parts[at] = `lowerdir=${layers.map((layer) => layer.slice(common.length + 1)).join(":")}`;
  ops.chdir(common);
  return parts.join(",");
}

/** The deepest directory that all paths are below; "/" when they have none in common. */
export function commonDirectory(paths: readonly string[]): string {
  const directories = paths.map((path) => path.split("/").slice(0, -1));
  const [first = []] = directories;
  const depth = first.findIndex((part, index) => directories.some((other) => other[index] !== part));
  return first.slice(0, depth < 0 ? first.length : depth).join("/") || "/";
}
