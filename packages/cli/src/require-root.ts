import { KataError, ops } from "@kata-containers/sys";

/** @throws KataError FailedPrecondition for a user who is not root */
export function requireRoot(command: string): void {
  if (ops.geteuid() !== 0) throw needsRoot("FailedPrecondition", command);
}

/** @param what the command or option that cannot do without root */
export function needsRoot(code: "FailedPrecondition" | "Unimplemented", what: string): KataError {
  const why = "for its network namespace, mounts and cgroups";
  return new KataError(code, `${what}: a sandbox needs root on the host, ${why}`);
}
