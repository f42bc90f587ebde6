import { exists, MS, mkdirp, ops, writeText } from "@kata-containers/sys";
import { SANDBOX } from "../paths.ts";

/** Writes the sandbox's resolv.conf, one line an entry, where containers' mounts look for it; and shows it at /etc as well. */
export function writeResolvConf(lines: readonly string[]): void {
  if (lines.length === 0) return;
  const path = `${SANDBOX}/resolv.conf`;
  mkdirp(SANDBOX);
  writeText(path, `${lines.join("\n")}\n`);
  if (exists("/etc/resolv.conf")) ops.mount(path, "/etc/resolv.conf", "", MS.BIND, "");
}
