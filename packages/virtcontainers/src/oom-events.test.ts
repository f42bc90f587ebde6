import { KataError, Logger } from "@kata-containers/sys";
import { expect, test } from "vitest";
import type { Agent } from "./agent-client/agent.ts";
import { OomEvents } from "./oom-events.ts";

/** An agent with these events, which then is gone. */
function agentWith(...ids: string[]): Agent {
  return {
    async request(method) {
      const containerId = ids.shift();
      if (containerId === undefined) throw new KataError("Unavailable", "gone");
      return Object.assign(method.response.empty(), { containerId });
    },
    readInto: () => Promise.reject(new Error("not asked")),
    writeStdin: () => Promise.reject(new Error("not asked")),
    close() {},
  };
}

const quiet = new Logger({ fd: -1, name: "test" });
const never = new Promise<never>(() => {});
const runs = () => false;

test("whoever waits hears of the next event of its container, and of none that it knows", async () => {
  const ooms = new OomEvents();
  const first = ooms.next("a", 0, runs, never);
  const second = ooms.next("a", 1, runs, never);
  ooms.follow(agentWith("b", "a", "a"), () => true, quiet);
  expect(await first).toBe(1);
  expect(await second).toBe(2);
  expect(await ooms.next("b", 0, runs, never)).toBe(1);
});

test("a container that a hostile guest makes up is not counted", async () => {
  const ooms = new OomEvents();
  ooms.follow(agentWith("made-up", "a"), (id) => id === "a", quiet);
  await ooms.next("a", 0, runs, never);
  expect(ooms.count("made-up")).toBe(0);
});

test("a wait ends when the caller is gone, and when the container has ended", async () => {
  const ooms = new OomEvents();
  expect(await ooms.next("a", 0, runs, Promise.resolve())).toBe(0);
  let hasEnded = false;
  const waiting = ooms.next("a", 0, () => hasEnded, never);
  ooms.wake();
  hasEnded = true;
  ooms.wake();
  expect(await waiting).toBe(0);
});

test("a container that is forgotten begins anew", async () => {
  const ooms = new OomEvents();
  ooms.follow(agentWith("a"), () => true, quiet);
  await ooms.next("a", 0, runs, never);
  ooms.forget("a");
  expect(ooms.count("a")).toBe(0);
});
