import { AgentService } from "@kata-containers/protocols";
import { KataError, type Logger, sleep } from "@kata-containers/sys";
import type { Agent } from "./agent-client/agent.ts";

/** Between two events, ms: no guest shall keep the daemon busy with them. */
const PACE_MS = 50;

/** How often each container ran out of memory, and who waits to hear of the next time. */
export class OomEvents {
  readonly #counts = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  #followed: Agent | undefined;

  /**
   * From the first call on: asks the agent for one event after the other, until it is gone or does not know the request.
   * @param known whether there is such a container: a guest that may be hostile names it
   */
  follow(agent: Agent, known: (id: string) => boolean, log: Logger): void {
    if (this.#followed === agent) return;
    this.#followed = agent;
    this.#ask(agent, known, log).catch((error: unknown) =>
      log.debug("no more OOM events", { reason: KataError.from(error).message }),
    );
  }

  async #ask(agent: Agent, known: (id: string) => boolean, log: Logger): Promise<never> {
    for (;;) {
      const { containerId } = await agent.request(AgentService.GetOOMEvent, {}, Infinity);
      if (known(containerId)) this.#note(containerId, log);
      await sleep(PACE_MS);
    }
  }

  #note(id: string, log: Logger): void {
    const count = this.count(id);
    if (count === 0) log.warn("a process was killed: the container is out of memory", { container: id });
    this.#counts.set(id, count + 1);
    this.wake();
  }

  count(id: string): number {
    return this.#counts.get(id) ?? 0;
  }

  /**
   * Resolves with the count when it is above `seen`, or with what it is when the container has ended, which those who wait look at
   * when `wake` is called, or when the caller is gone. Nothing of a wait outlives it: a container may see many of them.
   * @param gone of this wait alone: each leaves something at it
   */
  async next(id: string, seen: number, ended: () => boolean, gone?: Promise<unknown>): Promise<number> {
    let isGone = false;
    let wake = () => {};
    gone?.then(() => {
      isGone = true;
      wake();
    });
    while (this.count(id) <= seen && !ended() && !isGone) {
      await new Promise<void>((resolve) => {
        wake = resolve;
        this.#waiting.add(wake);
      });
      this.#waiting.delete(wake);
    }
    return this.count(id);
  }

  /** Has everyone who waits look again. */
  wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  forget(id: string): void {
    this.#counts.delete(id);
  }
}
