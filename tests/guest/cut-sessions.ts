import { AgentService, Health, TtrpcRequest } from "@kata-containers/protocols";
import { FRAME, HEADER_BYTES } from "@kata-containers/ttrpc";
import { expect } from "vitest";
import type { Guest } from "./guest.ts";

/** Bytes of input in the longest frame: past what the agent reads at once. */
const LONGEST = 300_000;
/** A stream id no client comes to. */
const STREAM = 9_999;
const TIMEOUT_MS = 60_000;
/** The guest mostly does not see the cut, for the next host is there at once: it takes what fills its frame up. */
const FILL_AFTER_MS = 20;

/**
 * So many hosts, one after the other, on the guest's serial port: each gets an answer, and is cut off in the middle of a frame. And
 * a last one.
 */
export async function cutSessions(guest: Guest, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await expectAnswer(guest, round);
    const frame = frameOf((round * 7919) % LONGEST);
    // Every other time among the first bytes: header, names, and what else comes before the input.
    const places = Math.min(round % 2 === 0 ? 100 : LONGEST, frame.length - 1);
    await guest.cut(frame.subarray(0, 1 + ((round * 7901) % places)));
  }
  await expectAnswer(guest, rounds);
}

async function expectAnswer(guest: Guest, round: number): Promise<void> {
  const client = await guest.connect(TIMEOUT_MS, FILL_AFTER_MS);
  const answer = await client.unary(Health.Check, {}, { timeoutMs: TIMEOUT_MS });
  expect({ round, ...answer }).toEqual({ round, status: 1 });
}

/** A whole request that carries so many bytes of input. */
function frameOf(bytes: number): Uint8Array {
  const { service, method, request } = AgentService.WriteStdin;
  const payload = request.encode({ containerId: "c", execId: "c", data: new Uint8Array(bytes).fill(0xee) });
  const data = TtrpcRequest.encode({ service, method, payload });
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt32BE(data.length, 0);
  head.writeUInt32BE(STREAM, 4);
  head.writeUInt8(FRAME.REQUEST, 8);
  return Buffer.concat([head, data]);
}
