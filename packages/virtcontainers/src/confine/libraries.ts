import { exists } from "@kata-containers/sys";
import type { Bind } from "./small-root.ts";

/** Where dynamic programs of a distribution keep their loader and libraries; a multi-arch directory stands for its parent. */
const LIBRARY_DIRS = [
  ["/lib64"],
  ["/usr/lib64"],
  ["/lib/x86_64-linux-gnu", "/lib"],
  ["/usr/lib/x86_64-linux-gnu", "/usr/lib"],
] as const;

/** Firmware and option ROMs that QEMU reads at start. */
const FIRMWARE_DIRS = ["/usr/share/qemu", "/usr/share/seabios", "/usr/share/qemu-kvm"];

/** What a dynamically linked program needs to be loaded: read-only, at the paths that it has on the host. */
export function libraryBinds(): Bind[] {
  const dirs = LIBRARY_DIRS.flatMap((choices) => choices.find(exists) ?? []);
  return [...dirs, "/etc/ld.so.cache"].map((path) => readOnlyBind(path, "library directory"));
}

export function firmwareBinds(): Bind[] {
  return FIRMWARE_DIRS.map((path) => readOnlyBind(path, "firmware directory"));
}

function readOnlyBind(path: string, what: string): Bind {
  return { source: path, target: path, readOnly: true, optional: true, what };
}
