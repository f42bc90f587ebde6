import { isSysError, ops, readText } from "@kata-containers/sys";
import { readMeminfo } from "../check/memory.ts";

/** The host's kernel, distribution, CPUs and memory (MiB). */
export function readHostFacts() {
  const { release, machine } = ops.uname();
  const cpu = textOf("/proc/cpuinfo");
  const memory = readMeminfo(textOf("/proc/meminfo"));
  return {
    Kernel: release,
    // Upstream's names are Go's.
    Architecture: machine === "x86_64" ? "amd64" : machine,
    Distro: readOsRelease(textOf("/etc/os-release")),
    CPU: { Vendor: cpuField(cpu, "vendor_id"), Model: cpuField(cpu, "model name"), CPUs: ops.cpuCount() },
    Memory: { Total: memory.totalMiB, Free: memory.freeMiB, Available: memory.availableMiB },
    AvailableGuestProtections: ["none"],
  };
}

/** os-release(5) */
export function readOsRelease(text: string): { readonly Name: string; readonly Version: string } {
  const value = (name: string) =>
    new RegExp(`^${name}=(["']?)(.*)\\1$`, "m").exec(text)?.[2]?.replaceAll(/\\(.)/g, "$1") ?? "<<unknown>>";
  return { Name: value("NAME"), Version: value("VERSION_ID") };
}

function cpuField(cpuinfo: string, name: string): string {
  return new RegExp(`^${name}\\s*: (.*)$`, "m").exec(cpuinfo)?.[1] ?? "<<unknown>>";
}

function textOf(path: string): string {
  try {
    return readText(path);
  } catch (error) {
    if (isSysError(error)) return "";
    throw error;
  }
}
