import type { Device, Spec } from "@kata-containers/oci";
import { S } from "@kata-containers/sys";
import { parseMountOptions } from "./mount-options.ts";
import { ROOT, targetOf } from "./mount-target.ts";
import type { Step } from "./plan.ts";
import { PROC_SUPER_MAGIC } from "./proc-mounts.ts";
import { invalid } from "./refuse.ts";

const character = (path: string, major: number, minor: number): Device => ({
  path,
  type: "c",
  major,
  minor,
  fileMode: 0o666,
  uid: 0,
  gid: 0,
});

/** Runtime-spec config-linux.md, "Default Devices"; numbers: Documentation/admin-guide/devices.txt. */
export const DEFAULT_DEVICES: readonly Device[] = [
  character("/dev/null", 1, 3),
  character("/dev/zero", 1, 5),
  character("/dev/full", 1, 7),
  character("/dev/random", 1, 8),
  character("/dev/urandom", 1, 9),
  character("/dev/tty", 5, 0),
];

/** Runtime-spec runtime-linux.md, "Dev symbolic links"; /dev/ptmx as "Default Devices" asks. */
const LINKS = [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
  ["/dev/ptmx", "pts/ptmx"],
] as const;

/** As runc, where the kernel has that file: a debugger looks there. It is masked by default. */
const CORE = ["/dev/core", "/proc/kcore"] as const;

const EEXIST = 17;

const TYPES: Readonly<Record<string, number>> = { c: S.IFCHR, u: S.IFCHR, b: S.IFBLK, p: S.IFIFO };

/** Devices and links below /dev; none when the caller has bound a /dev of its own, which is then theirs to fill (as runc). */
export function deviceSteps(spec: Spec, inUserNamespace: boolean, kcore: boolean): Step[] {
  if (hasBoundDev(spec)) return [];
  const listed = new Map<string, Device>();
  for (const device of DEFAULT_DEVICES) listed.set(device.path, device);
  for (const [index, device] of (spec.linux?.devices ?? []).entries()) {
    if (device.type !== "p" && (device.major === undefined || device.minor === undefined)) {
      invalid(`linux.devices[${index}]`, "needs a major and a minor number");
    }
    listed.set(device.path, device);
  }
  const devices = [...listed.values()].map((device) =>
    inUserNamespace ? boundDevice(device) : madeDevice(device),
  );
  const wanted = kcore ? [...LINKS, CORE] : LINKS;
  const links = wanted.map(([path, to]): Step => ({ op: "symlink", path, to, root: ROOT, ignore: [EEXIST] }));
  return [...devices, ...links];
}

function madeDevice(device: Device): Step {
  // A FIFO has no device number, whatever the configuration says.
  const { major = 0, minor = 0 } = device.type === "p" ? {} : device;
  return {
    op: "mknod",
    path: device.path,
    mode: (TYPES[device.type] ?? S.IFCHR) | (device.fileMode ?? 0o666),
    major,
    minor,
    uid: device.uid ?? 0,
    gid: device.gid ?? 0,
    root: ROOT,
  };
}

/** mknod(2) is not allowed in a user namespace: the host's node of that name is bound. */
function boundDevice(device: Device): Step {
  return {
    op: "bind",
    source: device.path,
    recursive: false,
    set: 0,
    clear: 0,
    setRecursive: 0,
    root: ROOT,
    target: device.path,
    create: "file",
    notOn: PROC_SUPER_MAGIC,
  };
}

function hasBoundDev(spec: Spec): boolean {
  return (spec.mounts ?? []).some(
    (mount) =>
      targetOf(mount) === "/dev" && (mount.type === "bind" || parseMountOptions(mount.options ?? []).bind),
  );
}
