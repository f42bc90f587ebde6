import { KataError, writeText } from "@kata-containers/sys";

/** sysctl(8): dots become slashes, a slash in a name (an interface's "eth0/1") a dot. */
export function sysctlPath(name: string): string {
  if (!/^net(\.[\w-]+(\/[\w-]+)*)+$/.test(name)) {
    throw new KataError(
      "InvalidArgument",
      `OCI linux.sysctl: ${JSON.stringify(name)} is not the name of a network sysctl`,
    );
  }
  return `/proc/sys/${name.replace(/[./]/g, (mark) => (mark === "." ? "/" : "."))}`;
}

/** Sets sysctls of the guest's network. */
export function setGuestSysctls(sysctls: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(sysctls)) writeText(sysctlPath(name), value);
}
