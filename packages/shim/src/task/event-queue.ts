import type { EventEnvelope, Topic } from "./task-events.ts";

/**
 * What is missed least goes first when there is no room. A guest makes as many of its own out-of-memory events as it likes; an
 * exit is what clients wait for.
 */
const WORTH: Readonly<Partial<Record<Topic, number>>> = { "/tasks/oom": 0, "/tasks/exit": 2 };
const ORDINARY = 1;

/** Events in their order, so many at most. */
export class EventQueue {
  readonly #limit: number;
  readonly #events: EventEnvelope[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#events.length;
  }

  /** @returns the event that had to make room, maybe the new one: of those that are missed least, the oldest */
  push(event: EventEnvelope): EventEnvelope | undefined {
    this.#events.push(event);
    if (this.#events.length <= this.#limit) return undefined;
    const least = Math.min(...this.#events.map(worth));
    const [dropped] = this.#events.splice(
      this.#events.findIndex((each) => worth(each) === least),
      1,
    );
    return dropped;
  }

  shift(): EventEnvelope | undefined {
    return this.#events.shift();
  }

  clear(): void {
    this.#events.length = 0;
  }
}

function worth({ topic }: EventEnvelope): number {
  return WORTH[topic] ?? ORDINARY;
}
