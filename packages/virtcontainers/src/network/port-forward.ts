import { Forwarder } from "@kata-containers/protocols";
import { acceptAll, deadline, Fd, isSysError, KataError, type Logger, ops, SHUT } from "@kata-containers/sys";
import type { Agent } from "../agent-client/agent.ts";
import { pumpInput, pumpOutput } from "../agent-client/stdio-pump.ts";
import { AllPorts, LOOPBACK_4, LOOPBACK_6 } from "./all-ports.ts";

/** Beyond that who asks is hung up on. */
const MAX_CONNECTIONS = 64;
/** Of what a hostile guest may call a connection, which it is told again and again. */
const MAX_ID_LENGTH = 32;
/** How long the guest may go on when who asked has ended its side: else the connection of a client that is gone might stay for ever. */
const HALF_CLOSED_MS = 600_000;

/**
 * Ports of the guest's loopback interface, for those that ask at the loopback interface of the network namespace that this process is in, whatever
 * the port: `kubectl port-forward`, for which containerd asks there. Nobody else is in that namespace.
 */
export class PortForward implements Disposable {
  readonly #agent: Agent;
  readonly #log: Logger;
  readonly #ports: AllPorts[] = [];
  #open = true;
  #connections = 0;

  private constructor(agent: Agent, log: Logger) {
    this.#agent = agent;
    this.#log = log;
  }

  /** From now on. What keeps it from that is no reason to go without a pod: a warning. */
  static begin(agent: Agent, log: Logger): PortForward {
    const forward = new PortForward(agent, log);
    try {
      forward.#listen();
    } catch (error) {
      // Who connects is refused then, and does not wait in vain.
      forward[Symbol.dispose]();
      const { message } = KataError.from(error);
      log.warn(`port-forward does not reach the pod: ${message}`);
    }
    return forward;
  }

  [Symbol.dispose](): void {
    this.#open = false;
    for (const ports of this.#ports) ports[Symbol.dispose]();
  }

  #listen(): void {
    this.#ports.push(new AllPorts(LOOPBACK_4));
    try {
      this.#ports.push(new AllPorts(LOOPBACK_6));
    } catch (error) {
      // Without IPv6.
      if (!isSysError(error, "EADDRNOTAVAIL", "EAFNOSUPPORT")) throw error;
    }
    for (const { listener } of this.#ports) {
      acceptAll(
        () => ops.accept(listener.number),
        () => this.#open,
        (accepted) => void this.#forward(new Fd(accepted)),
      ).catch((error: unknown) => {
        this[Symbol.dispose]();
        this.#log.warn(`port-forward reaches the pod no more: ${KataError.from(error).message}`);
      });
    }
  }

  async #forward(connection: Fd): Promise<void> {
    this.#connections++;
    try {
      if (this.#connections <= MAX_CONNECTIONS) await this.#relay(connection.number);
    } catch (error) {
      this.#log.debug("a forwarded connection has ended", { reason: KataError.from(error).message });
    } finally {
      this.#connections--;
      connection.close();
    }
  }

  async #relay(connection: number): Promise<void> {
    const port = ops.inetPort(connection);
    const { execId } = await this.#agent.request(Forwarder.Connect, { port });
    if (execId.length > MAX_ID_LENGTH)
      throw new KataError("Internal", "the agent gave no id of a connection");
    const guests = { containerId: "", execId };
    const out = pumpOutput(this.#agent, "stdout", guests, connection, "fail").then(() =>
      ops.shutdown(connection, SHUT.WR),
    );
    const into = pumpInput(this.#agent, guests, connection).catch(unlessTakesNoMore);
    const late = () => new KataError("DeadlineExceeded", "half closed for ten minutes");
    try {
      await Promise.all([out, into.then(() => deadline(out, HALF_CLOSED_MS, late))]);
    } finally {
      // What has failed in one direction ends the other.
      ops.cancel(connection);
      await this.#agent.request(Forwarder.Close, { execId }).catch(() => {});
      await Promise.allSettled([out, into]);
    }
  }
}

/** Whoever takes no more may have something to say still: an answer that came early. */
function unlessTakesNoMore(error: unknown): void {
  if (!(error instanceof KataError) || error.code !== "FailedPrecondition") throw error;
}
