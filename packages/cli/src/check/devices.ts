import type { KataConfig } from "@kata-containers/config";
import { isSysError, KataError, O, ops, readText, S } from "@kata-containers/sys";
import { type Finding, failure, ok, warning } from "./finding.ts";

/** The device that feeds the guest's entropy. */
export function checkEntropy({ hypervisor }: KataConfig): Finding[] {
  const path = hypervisor.entropy_source;
  const advice = "set entropy_source of [hypervisor.qemu] to a device, /dev/urandom";
  try {
    const isDevice = (ops.stat(path).mode & S.IFMT) === S.IFCHR;
    return [isDevice ? ok("entropy", path) : failure("entropy", `${path}: is no device`, advice)];
  } catch (error) {
    return [failure("entropy", KataError.from(error).message, advice)];
  }
}

/** vsock is needed by `agent_channel = "vsock"` only: the agent can be reached by virtio-serial everywhere. */
export function checkAgentChannel({ hypervisor: { agent_channel } }: KataConfig): Finding[] {
  const what = "agent channel";
  if (agent_channel === "virtio-serial") return [ok(what, "virtio-serial")];
  const obstacle = whyNotOpened("/dev/vhost-vsock");
  if (obstacle === undefined) return [ok(what, "vsock (/dev/vhost-vsock)")];
  if (agent_channel === "auto") return [ok(what, `virtio-serial (${obstacle})`)];
  const advice = 'modprobe vhost_vsock, or set agent_channel = "auto" of [hypervisor.qemu]';
  return [failure(what, obstacle, advice)];
}

function whyNotOpened(device: string): string | undefined {
  try {
    ops.close(ops.open(device, O.RDWR | O.CLOEXEC, 0));
    return undefined;
  } catch (error) {
    return KataError.from(error).message;
  }
}

/** Security modules of the host that may forbid what root may do. */
export function checkSecurityModules(): Finding[] {
  const enforcing = textOf("/sys/fs/selinux/enforce") === "1";
  const profile =
    textOf("/sys/module/apparmor/parameters/enabled") === "Y" ? textOf("/proc/self/attr/current") : undefined;
  const findings: Finding[] = [];
  if (enforcing) {
    const advice = "if a container cannot be made, look at: ausearch -m avc -ts recent";
    findings.push(warning("security", "SELinux enforces, and there is no policy for these programs", advice));
  }
  if (profile !== undefined && profile !== "" && !profile.startsWith("unconfined")) {
    const advice = "run it unconfined, outside of a container";
    findings.push(warning("security", `this process is confined by AppArmor's profile ${profile}`, advice));
  }
  const state = (there: boolean) => (there ? "does not confine this process" : "is not there");
  return findings.length > 0
    ? findings
    : [
        ok(
          "security",
          `SELinux ${textOf("/sys/fs/selinux/enforce") === undefined ? "is not there" : "is permissive"}, AppArmor ${state(profile !== undefined)}`,
        ),
      ];
}

function textOf(path: string): string | undefined {
  try {
    return readText(path).replaceAll("\0", "").trim();
  } catch (error) {
    if (isSysError(error)) return undefined;
    throw error;
  }
}
