import { environment, ops } from "@kata-containers/sys";

/** How many descriptors of socket activation there are from 3 up, when they are for this process (sd_listen_fds(3)). */
export function activatedDescriptors(): number {
  return number("LISTEN_PID") === ops.getpid() ? number("LISTEN_FDS") : 0;
}

function number(name: string): number {
  const text = environment(name) ?? "";
  return /^\d{1,6}$/.test(text) ? Number(text) : 0;
}
