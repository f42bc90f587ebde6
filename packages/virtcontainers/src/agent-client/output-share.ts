import type { Agent } from "./agent.ts";

/** What a read of output asks for at first, bytes: also the most that one of a stream asks for that says little. */
const FIRST = 128 << 10;
/** And at most: so much that the round trip does not count, which takes an emulated guest 3 ms. Agent and daemon have a buffer of that size each. */
const MOST = 3 << 19;
/**
 * What the reads of one agent may ask for beyond {@link FIRST}, together: the agent holds what it has read until its turn to be sent, and
 * has 8 MB for all. Half as much again, and the same twice, is what a sink that is slow costs here.
 */
const ALL = 5 << 19;

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
    else if (length >= this.#size / 2) this.#grow(Math.min(2 * this.#size, MOST));
  }

  [Symbol.dispose](): void {
    this.#become(FIRST);
  }

  #grow(size: number): void {
    if (this.#taken() + size - this.#size <= ALL) this.#become(size);
  }

  #become(size: number): void {
    taken.set(this.#agent, this.#taken() + size - this.#size);
    this.#size = size;
  }

  #taken(): number {
    return taken.get(this.#agent) ?? 0;
  }
}
