import { Fd, ops, unlinkIfThere } from "@kata-containers/sys";
import { managementLinkPath, managementSocketPath } from "@kata-containers/virtcontainers";

/** Clients that have not been accepted yet. */
const BACKLOG = 16;

/**
 * The management socket of a sandbox whose record is on disk and names it: only root may connect. It has a short name, for an address
 * holds 107 characters, and a link beside the record. Both go with the record.
 * @throws SysError
 */
export function listenForManagement(root: string, id: string): Fd {
  const path = managementSocketPath(root, id);
  // Left by a sandbox of the same id that is gone.
  unlinkIfThere(path);
  const listener = new Fd(ops.unixListen(path, BACKLOG, 0o600));
  try {
    unlinkIfThere(managementLinkPath(root, id));
    ops.symlink(path, managementLinkPath(root, id));
    return listener;
  } catch (error) {
    listener.close();
    throw error;
  }
}
