import { expect, test } from "vitest";
import { EventQueue } from "./event-queue.ts";
import { containerOf, envelopeOf, type Topic } from "./task-events.ts";

const event = (topic: Topic, containerId: string) => envelopeOf(topic, { containerId }, "k8s.io", 0);

/** Pushes events of the topics, named by their places, into a queue of three; what was dropped, and what is left. */
function pushed(...topics: Topic[]): { dropped: string[]; left: string[] } {
  const queue = new EventQueue(3);
  const dropped = topics.flatMap((topic, place) => queue.push(event(topic, String(place))) ?? []);
  const left = topics.flatMap(() => queue.shift() ?? []);
  return { dropped: dropped.map(containerOf), left: left.map(containerOf) };
}

test("events leave in the order they came", () => {
  expect(pushed("/tasks/start", "/tasks/exit", "/tasks/delete")).toEqual({
    dropped: [],
    left: ["0", "1", "2"],
  });
});

test("the oldest out-of-memory event makes room first, even for another", () => {
  const one = pushed("/tasks/start", "/tasks/oom", "/tasks/oom", "/tasks/start", "/tasks/oom");
  expect(one).toEqual({ dropped: ["1", "2"], left: ["0", "3", "4"] });
  const incoming = pushed("/tasks/start", "/tasks/exit", "/tasks/exit", "/tasks/oom");
  expect(incoming).toEqual({ dropped: ["3"], left: ["0", "1", "2"] });
});

test("without one the oldest of the others does, and an exit stays", () => {
  const got = pushed("/tasks/exit", "/tasks/start", "/tasks/exec-added", "/tasks/exit", "/tasks/exit");
  expect(got).toEqual({ dropped: ["1", "2"], left: ["0", "3", "4"] });
  const incoming = pushed("/tasks/exit", "/tasks/exit", "/tasks/exit", "/tasks/delete");
  expect(incoming).toEqual({ dropped: ["3"], left: ["0", "1", "2"] });
});

test("where there are but exits, the oldest makes room", () => {
  const got = pushed("/tasks/exit", "/tasks/exit", "/tasks/exit", "/tasks/exit");
  expect(got).toEqual({ dropped: ["0"], left: ["1", "2", "3"] });
});
