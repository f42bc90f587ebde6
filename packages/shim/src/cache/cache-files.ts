import type { KataConfig } from "@kata-containers/config";
import { identityOfFile, templateFiles } from "@kata-containers/virtcontainers";

/**
 * The files that idle VMs and their daemons are made from, as they are now: of others, those that wait are of no use.
 * @throws KataError naming one that is missing, if only while it is replaced
 */
export function cacheFiles(config: KataConfig): string {
  const { shim_path, launch_path } = config.runtime;
  const { shared_fs, virtio_fs_daemon } = config.hypervisor;
  const programs = [shim_path, launch_path, ...(shared_fs === "virtio-fs" ? [virtio_fs_daemon] : [])];
  return JSON.stringify([
    templateFiles(config, ""),
    programs.map((path) => `${path} ${identityOfFile(path)}`),
  ]);
}
