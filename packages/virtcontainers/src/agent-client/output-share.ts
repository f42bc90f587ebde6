import type { Agent } from "./agent.ts";

/** What a read of output asks for at first, bytes: also the most that one of a stream asks for that says little. */
const FIRST = 128 << 10;
/** And at most: a whole pipe of the agent's, so that the round trip does not count. An emulated guest's takes 3 ms. */
const MOST = 2 << 20;
/**
 * What the reads of one agent may ask for beyond {@link FIRST}, together: the agent holds what it has read until its turn to be sent, and
 * has 8 MB for all. Half as much again, and the same twice, is what a sink that is slow costs here.
 */
const ALL = 7 << 19;

const taken = new WeakMap<Agent, number>();

/** How much the reads of one stream ask for: more while it has more, as far as the other streams of its agent leave room. */
export class OutputShare implements Disposable {
  readonly #agent: Agent;
  #size = FIRST;

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  get size(): number {
    return this.#size;
  }

  /** Told how much a read gave. */
  adapt(length: number): void {
    if (length < this.#size / 8) this.#become(FIRST);
    else if (length >= this.#size / 2 && this.#size < MOST && this.#left() >= this.#size)
      this.#become(2 * this.#size);
  }

  [Symbol.dispose](): void {
    this.#become(FIRST);
  }

  #left(): number {
    return ALL - (taken.get(this.#agent) ?? 0);
  }

  #become(size: number): void {
    taken.set(this.#agent, (taken.get(this.#agent) ?? 0) + size - this.#size);
    this.#size = size;
  }
}
