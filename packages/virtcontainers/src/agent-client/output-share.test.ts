import { expect, test } from "vitest";
import type { Agent } from "./agent.ts";
import { OutputShare } from "./output-share.ts";

const KIB = 1024;

/** What a stream asks for after reads that gave all that was asked for. */
function flood(share: OutputShare): number {
  for (let read = 0; read < 10; read++) share.adapt(share.size);
  return share.size / KIB;
}

test("a stream that has much is asked for more, up to 1.5 MiB, and for little again when it has little", () => {
  using share = new OutputShare({} as Agent);
  expect(share.size / KIB).toBe(128);
  share.adapt(64 * KIB);
  expect(share.size / KIB).toBe(256);
  share.adapt(32 * KIB);
  expect(share.size / KIB).toBe(256);
  expect(flood(share)).toBe(1536);
  share.adapt(1);
  expect(share.size / KIB).toBe(128);
});

test("the streams of one agent share 2.5 MiB beyond what each has at first, and give back what they had", () => {
  const agent = {} as Agent;
  const [one, two, three] = [new OutputShare(agent), new OutputShare(agent), new OutputShare(agent)];
  expect([flood(one), flood(two), flood(three)]).toEqual([1536, 1024, 256]);
  using other = new OutputShare({} as Agent);
  expect(flood(other)).toBe(1536);
  one[Symbol.dispose]();
  expect([flood(three), flood(two)]).toEqual([1536, 1024]);
});
