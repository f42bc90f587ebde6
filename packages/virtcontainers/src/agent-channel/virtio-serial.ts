import { Fd, ops, SOCK } from "@kata-containers/sys";
import { openSession, serialPort } from "@kata-containers/ttrpc";
import type { AgentChannel } from "./agent-channel.ts";

/**
 * The port `agent.channel.0`: QEMU moves bytes between it and a socket that it inherits. The line is there before the
 * guest is and outlives its users, so a session is opened on it first (ttrpc's session layer).
 */
export function createVirtioSerial(): AgentChannel {
  const [ours = -1, theirs = -1] = ops.socketpair(SOCK.STREAM);
  const port = serialPort(ours);
  const vmmEnd = new Fd(theirs);
  return {
    device: { kind: "virtio-serial", fd: vmmEnd.number },
    url: undefined,
    kernelParams: [],
    releaseVmmFd: () => vmmEnd.close(),
    // The guest is ours from its first instruction on. What is repeated to one that boots slowly it would have to read through.
    connect: (timeoutMs) => openSession(port, { timeoutMs, fillAfterMs: Number.POSITIVE_INFINITY }),
    close() {
      vmmEnd.close();
      port.close();
    },
  };
}
