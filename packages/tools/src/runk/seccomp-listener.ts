import type { LaunchOptions } from "@kata-containers/launch";
import { OCI_VERSION, type Spec, type State } from "@kata-containers/oci";
import { Fd, KataError, ops } from "@kata-containers/sys";

/** What a launch does with the listener of the container's seccomp filter. @param stateOf the container's state, of a process's pid */
export function passListener(spec: Spec, stateOf: (pid: number) => State): Pick<LaunchOptions, "listener"> {
  const { listenerPath, listenerMetadata } = spec.linux?.seccomp ?? {};
  if (!listenerPath) return {};
  const metadata = listenerMetadata ? { metadata: listenerMetadata } : {};
  return { listener: (fd, pid) => sendListener(listenerPath, fd, { ...metadata, pid, state: stateOf(pid) }) };
}

/** config-linux.md, "The Container Process State"; the members that are always the same are added. */
type ProcessState = { readonly pid: number; readonly metadata?: string; readonly state: State };

/** Takes the listener to the program that answers for the process's calls. */
async function sendListener(path: string, listener: Fd, state: ProcessState): Promise<void> {
  const message = JSON.stringify({ ociVersion: OCI_VERSION, fds: ["seccompFd"], ...state });
  try {
    using socket = new Fd(await ops.unixConnect(path));
    await ops.sendFds(socket.number, ops.utf8Encode(message), [listener.number]);
  } catch (error) {
    throw KataError.from(error, "seccomp listener");
  }
}
