import { KataError, O, ops, unlinkIfThere } from "@kata-containers/sys";
import {
  acceptSession,
  type Listener,
  serialPort,
  unixListener,
  vsockListener,
} from "@kata-containers/ttrpc";
import type { KernelModules } from "./boot/kernel-modules.ts";
import type { Uevents } from "./boot/uevents.ts";
import { findVirtioPort } from "./boot/virtio-port.ts";

/** VMADDR_CID_HOST of vsock(7). A container can reach the agent's port as well, and must not drive PID 1. */
const HOST_CID = 2;
const BACKLOG = 16;

/** The guest's own serial port with this name, under the session layer. */
export async function listenOnVirtioPort(
  name: string,
  uevents: Uevents,
  timeoutMs: number,
): Promise<Listener> {
  const device = await uevents.waitFor(() => findVirtioPort(name), timeoutMs, `virtio-serial port ${name}`);
  return acceptSession(serialPort(ops.open(device, O.RDWR | O.CLOEXEC | O.NONBLOCK, 0)));
}

/** A vsock port that only the host may connect to. */
export function listenOnVsock(port: number, modules: KernelModules): Listener {
  modules.load("vmw_vsock_virtio_transport");
  return vsockListener(ops.vsockListen(port), (cid) => cid === HOST_CID);
}

/** A unix socket, for an agent that is an ordinary process. */
export function listenOnUnix(path: string): Listener {
  unlinkIfThere(path);
  return unixListener(ops.unixListen(path, BACKLOG));
}

/** Splits an address of {@link AgentOptions.serverAddr}. Throws KataError InvalidArgument. */
export function parseServerAddr(address: string): { readonly scheme: string; readonly rest: string } {
  const parts = /^(virtio-serial|vsock|unix):\/\/(.+)$/.exec(address);
  if (parts === null) {
    throw new KataError(
      "InvalidArgument",
      `server address ${address}: not virtio-serial://, vsock:// or unix://`,
    );
  }
  const [, scheme = "", rest = ""] = parts;
  return { scheme, rest };
}
