import { Resolver, type ResolverQuery } from "@kata-containers/protocols";
import {
  DNS,
  deadline,
  Fd,
  KataError,
  type Logger,
  ops,
  readDnsMessage,
  readText,
  SOCK,
  sleep,
  writeDnsMessage,
} from "@kata-containers/sys";
import type { Agent } from "../agent-client/agent.ts";

/**
 * docker's resolver of the networks that users make: dockerd listens there in the container's network namespace, at a port that its
 * firewall rules put in place of 53 (libnetwork, resolver.go).
 */
const DOCKER_RESOLVER = "127.0.0.11";
/** proc_net(5): a bound socket's address as the kernel has it, on a little-endian machine. */
const BOUND = /^ *\d+: 0B00007F:/m;
/** Of the sandbox's whole network namespace. */
const MAX_SOCKETS_BYTES = 4 << 20;
/** Between two lots of queries, ms: no guest shall keep the daemon busy with none at all. */
const PACE_MS = 2;
/** Nor shall it keep the daemon, or dockerd, busy with more at a time. */
const MAX_OPEN = 64;
/** As long as the guest waits. */
const ANSWER_MS = 10_000;

/**
 * Names for a guest whose network namespace on the host, the one that this process is in, has docker's resolver: its loopback interface is
 * not the guest's. What is asked at that address in the guest is asked here.
 */
export class ResolverRelay {
  readonly #log: Logger;
  #agent: Pick<Agent, "request"> | undefined;
  #open = 0;
  #room: () => void = () => {};

  constructor(log: Logger) {
    this.#log = log;
  }

  /** When there is a resolver, the guest has it from then on. What it cannot have is no reason to go without a container: a warning. */
  async offer(agent: Pick<Agent, "request">): Promise<void> {
    if (this.#agent === agent) return;
    try {
      if (!hasDockerResolver()) return;
      this.#agent = agent;
      await agent.request(Resolver.Listen, { address: DOCKER_RESOLVER });
    } catch (error) {
      this.#log.warn(
        `names of docker's resolver are not known in the guest: ${KataError.from(error).message}`,
      );
      return;
    }
    this.#serve(agent).catch((error: unknown) =>
      this.#log.debug("no more queries of names", { reason: KataError.from(error).message }),
    );
  }

  async #serve(agent: Pick<Agent, "request">): Promise<never> {
    for (;;) {
      const { queries } = await agent.request(Resolver.NextQueries, {}, Infinity);
      // Ours never has more.
      for (const query of queries.slice(0, MAX_OPEN)) {
        while (this.#open >= MAX_OPEN) {
          await new Promise<void>((resolve) => {
            this.#room = resolve;
          });
        }
        void this.#relay(agent, query.id, ownQuestion(query));
      }
      await sleep(PACE_MS);
    }
  }

  async #relay(agent: Pick<Agent, "request">, id: number, question: Question | undefined): Promise<void> {
    this.#open++;
    try {
      const message = question && (await ask(question).catch((error: unknown) => this.#unanswered(error)));
      await agent.request(Resolver.Answer, { id, message: message ?? new Uint8Array(0) });
    } catch (error) {
      this.#log.debug("an answer does not reach the guest", { reason: KataError.from(error).message });
    } finally {
      this.#open--;
      this.#room();
    }
  }

  #unanswered(error: unknown): Uint8Array {
    this.#log.debug("a query of a name has no answer", { reason: KataError.from(error).message });
    return new Uint8Array(0);
  }
}

function hasDockerResolver(): boolean {
  return BOUND.test(readText("/proc/thread-self/net/udp", MAX_SOCKETS_BYTES));
}

/** What a query asks, in bytes of its own: those of a query are part of the guest's whole frame, which may have megabytes. */
type Question = Pick<ResolverQuery, "message" | "tcp">;

/** @returns undefined when it is no query */
function ownQuestion({ message, tcp }: ResolverQuery): Question | undefined {
  const possible = message.length >= DNS.MIN_BYTES && message.length <= DNS.MAX_BYTES;
  return possible ? { message: message.slice(), tcp } : undefined;
}

/**
 * A connection that does not come about is given up by the kernel, after two minutes: until then it is one of those that are open.
 * @throws KataError DeadlineExceeded; SysError of connect(2), read(2), write(2)
 */
async function ask(question: Question): Promise<Uint8Array> {
  const type = question.tcp ? SOCK.STREAM : SOCK.DGRAM;
  using socket = new Fd(await ops.inetConnect(type, DOCKER_RESOLVER, DNS.PORT));
  const late = () => new KataError("DeadlineExceeded", `${DOCKER_RESOLVER} did not answer`);
  return await deadline(exchange(socket, question), ANSWER_MS, late);
}

async function exchange(socket: Fd, { message, tcp }: Question): Promise<Uint8Array> {
  if (tcp) {
    await writeDnsMessage(socket, message);
    return readDnsMessage(socket);
  }
  await ops.write(socket.number, message);
  return ops.read(socket.number, DNS.MAX_BYTES);
}
