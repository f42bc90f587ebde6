import { CLONE, Fd, MNT, MS, mkdirp, O, ops, writeText } from "@kata-containers/sys";
import { SANDBOX_NAMESPACES } from "../paths.ts";

/** The namespaces that a sandbox's containers share, as paths to join. */
export interface SharedNamespaces {
  readonly ipc: string;
  readonly uts: string;
}

const OWN = "/proc/thread-self/ns";
const KINDS = ["ipc", "uts"] as const;

/**
 * Makes the sandbox's IPC and UTS namespaces and binds each on a file: they live as long as the sandbox, whichever of its
 * containers come and go. The agent visits them and goes back to its own.
 */
export function makeSharedNamespaces(hostname: string, domainname: string): SharedNamespaces {
  mkdirp(SANDBOX_NAMESPACES);
  const open = (kind: string) => new Fd(ops.open(`${OWN}/${kind}`, O.RDONLY | O.CLOEXEC, 0));
  using ipc = open("ipc");
  using uts = open("uts");
  ops.unshare(CLONE.NEWIPC | CLONE.NEWUTS);
  try {
    if (hostname !== "") ops.sethostname(hostname);
    if (domainname !== "") writeText("/proc/sys/kernel/domainname", domainname);
    for (const kind of KINDS) {
      const path = `${SANDBOX_NAMESPACES}/${kind}`;
      writeText(path, "", 0o444);
      ops.mount(`${OWN}/${kind}`, path, "", MS.BIND, "");
    }
  } finally {
    ops.setns(ipc.number, CLONE.NEWIPC);
    ops.setns(uts.number, CLONE.NEWUTS);
  }
  return { ipc: `${SANDBOX_NAMESPACES}/ipc`, uts: `${SANDBOX_NAMESPACES}/uts` };
}

/** Lets the namespaces go; those of running processes stay until these end. */
export function releaseSharedNamespaces(namespaces: SharedNamespaces): void {
  for (const kind of KINDS) {
    ops.umount(namespaces[kind], MNT.DETACH);
    ops.unlink(namespaces[kind]);
  }
}
