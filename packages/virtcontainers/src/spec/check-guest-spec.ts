import { OCI_VERSION, type Process, type Spec } from "@kata-containers/oci";
import { lostInGrpc } from "@kata-containers/protocols";
import { KataError } from "@kata-containers/sys";

/**
 * What the guest would not be told or could not do, found before it is asked.
 *
 * @param spec what guestSpec made
 * @returns one line each: limits of resources that do not reach the guest
 * @throws KataError Unimplemented: settings that change what the container may do or see
 */
export function checkGuestSpec(spec: Spec): readonly string[] {
  const notified =
    spec.linux?.seccomp?.syscalls?.findIndex(({ action }) => action === "SCMP_ACT_NOTIFY") ?? -1;
  if (notified !== -1) {
    refuse(
      `linux.seccomp.syscalls[${notified}].action`,
      "SCMP_ACT_NOTIFY: its listener is on the host, the call in the guest",
    );
  }
  const lost = lostInGrpc(spec);
  const [resources, others] = [lost.filter(isResource), lost.filter((path) => !isResource(path))];
  const [first] = others;
  if (first !== undefined) refuse(first, "cannot be had in a virtual machine");
  return resources.map((path) => `${path} is not applied: the guest's protocol has no such member`);
}

/** The same for a process that is executed in a container. */
export function checkGuestProcess(process: Process): void {
  checkGuestSpec({ ociVersion: OCI_VERSION, process });
}

function isResource(path: string): boolean {
  return path.startsWith("linux.resources.");
}

function refuse(path: string, why: string): never {
  throw new KataError("Unimplemented", `config.json: ${path}: ${why}`);
}
