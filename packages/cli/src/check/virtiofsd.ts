import type { KataConfig } from "@kata-containers/config";
import { KataError } from "@kata-containers/sys";
import { type Finding, failure, ok } from "./finding.ts";
import { unfitProgram } from "./programs.ts";
import { runProgram } from "./run-program.ts";

const INSTALL =
  "install virtiofsd (Debian: qemu-system-common or virtiofsd), or set virtio_fs_daemon of [hypervisor.qemu], " +
  'or shared_fs = "virtio-9p", which needs none, and is slower (docs/limitations.md)';

/** Whether the share's server runs. */
export async function checkVirtiofsd({ hypervisor }: KataConfig): Promise<Finding[]> {
  if (hypervisor.shared_fs !== "virtio-fs")
    return [ok("virtiofsd", `not used: shared_fs is ${hypervisor.shared_fs}`)];
  const path = hypervisor.virtio_fs_daemon;
  const unfit = unfitProgram(path);
  if (unfit !== undefined) return [failure("virtiofsd", `${path}: ${unfit.why}`, unfit.advice ?? INSTALL)];
  try {
    const version = await virtiofsdVersion(path);
    return [ok("virtiofsd", `${path} ${version}`)];
  } catch (error) {
    return [failure("virtiofsd", KataError.from(error).message, INSTALL)];
  }
}

/** QEMU's own says "virtiofsd version 7.2.22", the one of crates.io "virtiofsd 1.10.0". */
export async function virtiofsdVersion(path: string): Promise<string> {
  const text = await runProgram(path, "--version");
  const version = /^virtiofsd(?: version| backend)? (\d[\w.]*)/m.exec(text)?.[1];
  if (version === undefined) throw new KataError("FailedPrecondition", `${path}: is no virtiofsd`);
  return version;
}
