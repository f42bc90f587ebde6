import { KataError, Logger } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { recordOps } from "../testing/fake-ops.ts";
import type { EventSender } from "./event-sender.ts";
import { EventPublisher } from "./publisher.ts";
import { containerOf, type EventEnvelope } from "./task-events.ts";

let lines: string[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  recordOps({
    realtimeMs: () => 1500,
    getpid: () => 1,
    utf8Encode: (text) => new TextEncoder().encode(text),
    writeSync: (_, bytes) => {
      lines.push(new TextDecoder().decode(bytes));
      return bytes.length;
    },
  });
});
afterEach(() => void vi.useRealTimers());

/** A containerd that is there, away, or answers with an error. */
class FakeSender implements EventSender {
  readonly got: EventEnvelope[] = [];
  attempts = 0;
  closed = false;
  failure: KataError | undefined;

  async send(event: EventEnvelope): Promise<void> {
    this.attempts++;
    await undefined;
    if (this.failure !== undefined) throw this.failure;
    this.got.push(event);
  }

  close(): void {
    this.closed = true;
  }

  /** What has arrived: topics, without "/tasks/", and containers. */
  get events(): string[] {
    return this.got.map((event) => `${event.topic.slice("/tasks/".length)} ${containerOf(event)}`);
  }
}

const away = () => new KataError("Unavailable", "connection refused");

function published(limit?: number): { sender: FakeSender; publisher: EventPublisher } {
  const sender = new FakeSender();
  const log = new Logger({ fd: 9, name: "test" });
  return { sender, publisher: new EventPublisher("default", sender, log, limit) };
}

/** Until nothing happens any more without time passing. */
const settled = () => vi.advanceTimersByTimeAsync(0);

test("events arrive in order, with their namespace and time", async () => {
  const { sender, publisher } = published();
  publisher.publish("/tasks/create", { containerId: "c" });
  publisher.publish("/tasks/start", { containerId: "c" });
  publisher.publish("/tasks/exit", { containerId: "c" });
  expect(sender.attempts).toBe(0);
  await settled();
  expect(sender.events).toEqual(["create c", "start c", "exit c"]);
  expect(sender.got[0]).toMatchObject({
    namespace: "default",
    timestamp: { seconds: 1, nanos: 500_000_000 },
  });
  publisher.publish("/tasks/delete", { containerId: "c" });
  await settled();
  expect(sender.events).toHaveLength(4);
});

test("while containerd is away they wait, and arrive in order when it is back", async () => {
  const { sender, publisher } = published();
  sender.failure = away();
  publisher.publish("/tasks/start", { containerId: "c" });
  await vi.advanceTimersByTimeAsync(60_000);
  publisher.publish("/tasks/exit", { containerId: "c" });
  sender.failure = undefined;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(sender.events).toEqual(["start c", "exit c"]);
  // Said once, not with every attempt.
  expect(lines.filter((line) => line.includes("connection refused"))).toHaveLength(1);
  expect(lines.filter((line) => line.includes("takes events again"))).toHaveLength(1);
});

test("attempts become rarer, to one in two seconds", async () => {
  const { sender, publisher } = published();
  sender.failure = away();
  publisher.publish("/tasks/start", { containerId: "c" });
  await vi.advanceTimersByTimeAsync(1_000);
  // At 0, 100, 300 and 700 ms.
  expect(sender.attempts).toBe(4);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sender.attempts).toBeLessThan(36);
});

test("an event that containerd answers with an error is given up after five attempts; those behind it go on", async () => {
  const { sender, publisher } = published();
  sender.failure = new KataError("InvalidArgument", "bad topic");
  publisher.publish("/tasks/start", { containerId: "bad" });
  publisher.publish("/tasks/exit", { containerId: "good" });
  await vi.advanceTimersByTimeAsync(1_400);
  expect(sender.attempts).toBe(4);
  await vi.advanceTimersByTimeAsync(100);
  expect(sender.attempts).toBe(6);
  sender.failure = undefined;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(sender.events).toEqual(["exit good"]);
  expect(lines.join("")).toMatch(/event refused.*container=bad.*bad topic/);
});

test("too many make room by their worth, and exits stay", async () => {
  const { sender, publisher } = published(2);
  sender.failure = away();
  publisher.publish("/tasks/create", { containerId: "under way" });
  await settled();
  publisher.publish("/tasks/start", { containerId: "a" });
  publisher.publish("/tasks/exit", { containerId: "b" });
  publisher.publish("/tasks/exit", { containerId: "c" });
  for (let count = 0; count < 100; count++) publisher.publish("/tasks/oom", { containerId: "d" });
  sender.failure = undefined;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(sender.events).toEqual(["create under way", "exit b", "exit c"]);
  expect(lines.filter((line) => line.includes("are dropped"))).toHaveLength(1);
  expect(lines.join("")).toMatch(/were dropped.*count=101/);
});

test("an exit that had to make room is told with its container", async () => {
  const { sender, publisher } = published(1);
  sender.failure = away();
  for (const containerId of ["a", "b", "c"]) publisher.publish("/tasks/exit", { containerId });
  await settled();
  expect(lines.filter((line) => /exit dropped.*container=[ab]/.test(line))).toHaveLength(2);
});

test("an event that does not fit its fields harms nobody", async () => {
  const { sender, publisher } = published();
  publisher.publish("/tasks/start", { containerId: "c", pid: -1 });
  await settled();
  publisher.publish("/tasks/exit", { containerId: "c" });
  await settled();
  expect(sender.events).toEqual(["exit c"]);
  expect(lines.join("")).toContain("cannot be encoded");
});

test("flush ends when all has arrived, and tries at once", async () => {
  const { sender, publisher } = published();
  await publisher.flush(1_000);
  sender.failure = away();
  publisher.publish("/tasks/exit", { containerId: "c" });
  publisher.publish("/tasks/delete", { containerId: "c" });
  await vi.advanceTimersByTimeAsync(10_000);
  sender.failure = undefined;
  let flushed = false;
  publisher.flush(1_000).then(() => {
    flushed = true;
  });
  await settled();
  expect(flushed).toBe(true);
  expect(sender.events).toEqual(["exit c", "delete c"]);
});

test("flush takes no longer than it may, and tells what waits", async () => {
  const { sender, publisher } = published();
  sender.failure = away();
  publisher.publish("/tasks/exit", { containerId: "c" });
  publisher.publish("/tasks/delete", { containerId: "c" });
  let flushed = false;
  publisher.flush(1_000).then(() => {
    flushed = true;
  });
  await vi.advanceTimersByTimeAsync(999);
  expect(flushed).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(flushed).toBe(true);
  expect(lines.join("")).toMatch(/not published in time.*waiting=2/);
});

test("a closed publisher sends no more and leaves no timer", async () => {
  const { sender, publisher } = published();
  sender.failure = away();
  publisher.publish("/tasks/exit", { containerId: "c" });
  await settled();
  publisher.close();
  publisher.publish("/tasks/delete", { containerId: "c" });
  await settled();
  expect(sender.closed).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
  expect(sender.attempts).toBe(1);
});
