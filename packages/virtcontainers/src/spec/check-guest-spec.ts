import type { Process, Spec } from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";
import { droppedResources } from "./update-resources.ts";

/** What AppArmor calls the absence of a profile. */
const UNCONFINED = "unconfined";
const NO_APPARMOR = "the guest's kernel does not have the host's AppArmor policy";
const NO_SELINUX = "the guest's kernel does not have the host's SELinux policy";
const LISTENER = "its listener is on the host, the call in the guest";

/** setdomainname(2): the guest's kernel would cut it. */
const UTS_LENGTH = 64;

/**
 * What a guest cannot do, found before anything is made.
 *
 * @param spec config.json's
 * @returns one line each: limits and labels that name what the host has and the VM has not, and that do not reach the guest
 * @throws KataError Unimplemented: settings that change what the container may do or see; InvalidArgument
 */
export function checkGuestSpec({
  domainname = "",
  process,
  mounts = [],
  linux = {},
}: Spec): readonly string[] {
  if (domainname.length > UTS_LENGTH)
    throw new KataError("InvalidArgument", `config.json: domainname: is longer than ${UTS_LENGTH} bytes`);
  const { seccomp, resources, intelRdt } = linux;
  const notified = seccomp?.syscalls?.findIndex(({ action }) => action === "SCMP_ACT_NOTIFY") ?? -1;
  if (notified !== -1) refuse(`linux.seccomp.syscalls[${notified}].action`, `SCMP_ACT_NOTIFY: ${LISTENER}`);
  if (intelRdt !== undefined) refuse("linux.intelRdt", "Intel RDT is the host's processor's");
  const mapped = mounts.findIndex(
    ({ options = [], uidMappings, gidMappings }) =>
      uidMappings || gidMappings || options.some((option) => /^r?idmap$/.test(option)),
  );
  if (mapped !== -1)
    refuse(`mounts[${mapped}]`, "virtio-fs, by which the guest has it, has no id-mapped mounts");
  const dropped = [...checkGuestProcess(process), ...droppedResources(resources ?? {})];
  return linux.mountLabel ? [...dropped, notApplied("linux.mountLabel", NO_SELINUX)] : dropped;
}

/** The same for a process that is executed in a container. */
export function checkGuestProcess(process: Process | undefined): readonly string[] {
  const { execCPUAffinity, apparmorProfile, selinuxLabel } = process ?? {};
  const dropped: [string, unknown, string][] = [
    [
      "execCPUAffinity",
      execCPUAffinity?.initial || execCPUAffinity?.final,
      "the host's CPUs are not the VM's",
    ],
    ["apparmorProfile", apparmorProfile !== UNCONFINED && apparmorProfile, NO_APPARMOR],
    ["selinuxLabel", selinuxLabel, NO_SELINUX],
  ];
  return dropped
    .filter(([, value]) => Boolean(value))
    .map(([key, , why]) => notApplied(`process.${key}`, why));
}

const notApplied = (path: string, why: string) => `${path} is not applied: ${why}`;

function refuse(path: string, why: string): never {
  throw new KataError("Unimplemented", `config.json: ${path}: ${why}`);
}
