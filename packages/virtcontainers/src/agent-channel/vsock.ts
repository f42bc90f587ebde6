import { Health } from "@kata-containers/protocols";
import { deadline, Fd, isSysError, KataError, O, ops, sleep } from "@kata-containers/sys";
import { type FrameTransport, fdTransport, firstCall } from "@kata-containers/ttrpc";
import type { AgentChannel } from "./agent-channel.ts";

export const VHOST_VSOCK = "/dev/vhost-vsock";

/** Where the agent listens: upstream's DEFAULT_AGENT_VSOCK_PORT. */
export const AGENT_PORT = 1024;

/** Context ids 0 to 2 have a meaning of their own (vsock(7)), and the last one stands for any. */
const [FIRST_CID, CIDS] = [3, 0xffff_ffff - 3];

/** A context id that is taken is one in four thousand million; a host where all of them are has another defect. */
const ATTEMPTS = 16;

/** Between two attempts of a guest whose kernel is up and whose agent does not listen yet: it loads a driver, no more. */
const RETRY_MS = 5;

/** How long the agent may take to answer on the first connection: on each after it, twice as long. */
const FIRST_ANSWER_MS = 250;
/** And at most. */
const LAST_ANSWER_MS = 4000;

/** The guest's kernel is not there yet, or its agent does not listen yet. */
const NOT_YET = ["ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH", "ENODEV"] as const;

/**
 * The kernel's vsock, by vhost: no byte passes through the VMM. The guest's context id is drawn at random, so that
 * nobody on the host, where any user may dial any guest, knows it before the agent has its one connection.
 * @throws SysError of /dev/vhost-vsock
 */
export function createVsock(): AgentChannel {
  const device = new Fd(ops.open(VHOST_VSOCK, O.RDWR | O.CLOEXEC, 0));
  const dialling: Dialling = { over: false };
  const giveUp = () => {
    dialling.over = true;
    dialling.stream?.close();
  };
  try {
    const cid = takeCid(device.number);
    return {
      device: { kind: "vsock", fd: device.number, cid },
      url: `vsock://${cid}:${AGENT_PORT}`,
      kernelParams: [`agent.server_addr=vsock://-1:${AGENT_PORT}`],
      releaseVmmFd: () => device.close(),
      connect: (timeoutMs) =>
        deadline(
          dial(cid, dialling),
          timeoutMs,
          () =>
            new KataError(
              "DeadlineExceeded",
              `no answer on vsock ${cid}:${AGENT_PORT} within ${timeoutMs} ms`,
            ),
        ).finally(giveUp),
      close() {
        giveUp();
        device.close();
      },
    };
  } catch (error) {
    device.close();
    throw error;
  }
}

/** Gives the device a context id that no other guest of this host has. */
function takeCid(device: number): number {
  for (let attempt = 1; ; attempt++) {
    const drawn = new DataView(ops.random(4).buffer).getUint32(0);
    const cid = FIRST_CID + (drawn % CIDS);
    try {
      ops.vhostVsockSetCid(device, cid);
      return cid;
    } catch (error) {
      if (!isSysError(error, "EADDRINUSE") || attempt === ATTEMPTS) throw error;
    }
  }
}

interface Dialling {
  /** Nobody wants the connection any more. */
  over: boolean;
  /** A connection on which the agent has not answered yet. */
  stream?: FrameTransport;
}

/** Dials until the agent answers, or until nobody wants it any more. */
async function dial(cid: number, dialling: Dialling): Promise<FrameTransport> {
  for (let answerMs = FIRST_ANSWER_MS; ; ) {
    const stream = await connectIfThere(cid);
    if (stream !== undefined) {
      dialling.stream = stream;
      const answered = !dialling.over && (await answers(stream, answerMs));
      answerMs = Math.min(2 * answerMs, LAST_ANSWER_MS);
      delete dialling.stream;
      if (answered && !dialling.over) return stream;
      stream.close();
    }
    if (dialling.over) throw new KataError("Unavailable", `vsock ${cid}:${AGENT_PORT} was closed`);
    await sleep(RETRY_MS);
  }
}

async function connectIfThere(cid: number): Promise<FrameTransport | undefined> {
  try {
    return fdTransport(await ops.vsockConnect(cid, AGENT_PORT), { cid });
  } catch (error) {
    if (isSysError(error, ...NOT_YET)) return undefined;
    throw error;
  }
}

/**
 * Whether the agent does: that the guest's kernel has taken the connection is not enough. That of a copy of a template takes it, and ends
 * all that it has as soon as it learns that it has another context id (VIRTIO_VSOCK_EVENT_TRANSPORT_RESET): it need not say so.
 */
async function answers(stream: FrameTransport, ms: number): Promise<boolean> {
  try {
    const late = () => new KataError("DeadlineExceeded", "no answer");
    await deadline(firstCall(stream, Health.Check), ms, late);
    return true;
  } catch {
    return false;
  }
}
