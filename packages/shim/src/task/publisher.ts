import type { Init } from "@kata-containers/protocols";
import { deadline, KataError, type Logger, ops, sleep } from "@kata-containers/sys";
import { EventQueue } from "./event-queue.ts";
import type { EventSender } from "./event-sender.ts";
import { containerOf, type EventEnvelope, envelopeOf, type TaskEvents, type Topic } from "./task-events.ts";

/** Events that wait for containerd: some 0.5 MB. A daemon makes none of its own accord, and clients none without containerd. */
export const MAX_QUEUED = 1024;

/** The waits between attempts, ms: each twice the one before, and never longer than a client of a restarted containerd should wait. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2_000;

/** An event that containerd itself answers with an error so often is given up: those behind it wait. */
const MAX_REFUSALS = 5;

/**
 * Publishes a sandbox's events to containerd, in order, one at a time. While containerd is away they wait, MAX_QUEUED at most:
 * then the oldest out-of-memory event makes room, without one the oldest of the others, and an exit only when there are but
 * exits. An event whose answer was lost is sent again: containerd may see it twice.
 */
export class EventPublisher {
  readonly #namespace: string;
  readonly #sender: EventSender;
  readonly #log: Logger;
  readonly #queue: EventQueue;
  /** Resolves when the queue is empty and nothing is on its way. */
  #working: Promise<void> | undefined;
  #endWait: (() => void) | undefined;
  #away = false;
  #dropped = 0;
  #closed = false;

  /** @param namespace containerd's, of the sandbox */
  constructor(namespace: string, sender: EventSender, log: Logger, limit: number = MAX_QUEUED) {
    this.#namespace = namespace;
    this.#sender = sender;
    this.#log = log;
    this.#queue = new EventQueue(limit);
  }

  /** Queues an event, which happens now. Never throws, never waits. */
  publish<T extends Topic>(topic: T, event: Init<TaskEvents[T]>): void {
    if (this.#closed) return;
    try {
      const dropped = this.#queue.push(envelopeOf(topic, event, this.#namespace, ops.realtimeMs()));
      if (dropped !== undefined) this.#tellDropped(dropped);
    } catch (error) {
      this.#log.error("event that cannot be encoded", { topic, reason: KataError.from(error).message });
    }
    this.#working ??= this.#work();
  }

  /** Resolves when everything published so far has been sent or given up, at the latest after `timeoutMs`. */
  async flush(timeoutMs: number): Promise<void> {
    if (this.#working === undefined) return;
    this.#endWait?.();
    const late = () => new KataError("DeadlineExceeded", "no time left");
    await deadline(this.#working, timeoutMs, late).catch(() =>
      this.#log.warn("events were not published in time", { waiting: this.#queue.length + 1 }),
    );
  }

  /** Ends the connection; what was not sent is forgotten. */
  close(): void {
    this.#closed = true;
    this.#queue.clear();
    this.#endWait?.();
    this.#sender.close();
  }

  async #work(): Promise<void> {
    // Nothing is sent before publish has returned.
    await undefined;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      await this.#deliver(next);
    }
    if (this.#dropped > 0) this.#log.warn("events were dropped", { count: this.#dropped });
    this.#dropped = 0;
    this.#working = undefined;
  }

  /** Sends one event, again and again while containerd is away. Never throws. */
  async #deliver(event: EventEnvelope): Promise<void> {
    let refusals = 0;
    let waitMs = FIRST_WAIT_MS;
    while (!this.#closed) {
      const error = await this.#attempt(event);
      if (error === undefined || this.#closed) return;
      if (error.code === "Unavailable") this.#tellAway(error);
      else if (++refusals === MAX_REFUSALS) {
        const { topic } = event;
        this.#log.error("event refused", { topic, container: containerOf(event), reason: error.message });
        return;
      }
      const ended = await this.#wait(waitMs);
      waitMs = ended ? FIRST_WAIT_MS : Math.min(waitMs * 2, LONGEST_WAIT_MS);
    }
  }

  async #attempt(event: EventEnvelope): Promise<KataError | undefined> {
    try {
      await this.#sender.send(event);
      this.#tellBack();
      return undefined;
    } catch (error) {
      return KataError.from(error);
    }
  }

  /** @returns whether it was ended early */
  async #wait(ms: number): Promise<boolean> {
    const early = new AbortController();
    this.#endWait = () => early.abort();
    return await sleep(ms, early.signal).then(
      () => false,
      () => true,
    );
  }

  #tellAway(error: KataError): void {
    if (!this.#away) this.#log.warn("containerd takes no events, they wait", { reason: error.message });
    this.#away = true;
  }

  #tellBack(): void {
    if (!this.#away) return;
    this.#log.info("containerd takes events again", { waiting: this.#queue.length });
    this.#away = false;
  }

  /** Each exit; of the others the first, until the queue is empty again: a guest makes them by the thousand. */
  #tellDropped(event: EventEnvelope): void {
    const { topic } = event;
    this.#dropped++;
    if (topic === "/tasks/exit") this.#log.error("exit dropped", { container: containerOf(event) });
    else if (this.#dropped === 1) this.#log.warn("too many events wait, some are dropped", { topic });
  }
}
