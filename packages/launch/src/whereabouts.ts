import { readText } from "@kata-containers/sys";

/**
 * What a process that gets nowhere does, for an error: "pid 7 (kata-launch, D) in fuse_simple_request, system call 257". From
 * proc(5)'s status, stack and syscall, as far as they can be read; nothing when the process has ended.
 */
export function whereabouts(pid: number): string[] {
  const status = read(`/proc/${pid}/status`);
  if (status === "") return [];
  const of = (key: string) => new RegExp(`^${key}:\\s*(\\S+)`, "m").exec(status)?.[1] ?? "?";
  // "[<0>] fuse_simple_request+0x1a/0x30", innermost first. Running in user space: none.
  const inside = /\] ([^+\s]+)/.exec(read(`/proc/${pid}/stack`))?.[1] ?? read(`/proc/${pid}/wchan`).trim();
  const call = /^\d+/.exec(read(`/proc/${pid}/syscall`))?.[0];
  return [
    `pid ${pid} (${of("Name")}, ${of("State")})` +
      (inside === "" || inside === "0" ? "" : ` in ${inside}`) +
      (call === undefined ? "" : `, system call ${call}`),
  ];
}

function read(path: string): string {
  try {
    return readText(path);
  } catch {
    return ""; // It has ended, or the kernel does not tell.
  }
}
