import type { Bundle } from "@kata-containers/shim";
import { KataError } from "@kata-containers/sys";
import { checkSystemd, isScopeName } from "@kata-containers/systemd";

/**
 * Where the host's cgroups are to be made, before anything is: a systemd name (slice:prefix:name) needs systemd, and
 * its scopes are not made yet.
 * @throws KataError FailedPrecondition with runc's words where there is no systemd, Unimplemented where there is
 */
export function checkCgroupsPath(
  systemdCgroup: boolean,
  { spec, path }: Pick<Bundle, "spec" | "path">,
): void {
  const cgroupsPath = spec.linux?.cgroupsPath ?? "";
  if (systemdCgroup) {
    checkSystemd();
    throw new KataError(
      "Unimplemented",
      "--systemd-cgroup: systemd scopes are not made yet (use the cgroupfs driver: docker's native.cgroupdriver, " +
        "containerd's SystemdCgroup = false)",
    );
  }
  if (!isScopeName(cgroupsPath)) return;
  throw new KataError(
    "InvalidArgument",
    `${path}/config.json: linux.cgroupsPath: ${cgroupsPath} is a systemd name, which --systemd-cgroup is for`,
  );
}
