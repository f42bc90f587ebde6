import { AgentService } from "@kata-containers/protocols";
import { type Logger, ops } from "@kata-containers/sys";
import type { Agent } from "./agent-client/agent.ts";

/** How late a guest's clock may be, milliseconds. */
const LATE_MS = 10;
/** A guest is slow at what it does for the first time, and while it does more than that. */
const TRIES = 8;

/**
 * Sets the guest's clock to the host's. It is late by the time that the request takes to get there, so by less than the whole call: one
 * that takes longer than `LATE_MS` is made again, `TRIES` times in all.
 * @throws KataError the agent's
 */
export async function setGuestClock(agent: Pick<Agent, "request">, log: Pick<Logger, "warn">): Promise<void> {
  let took = 0;
  for (let tries = 0; tries < TRIES; tries++) {
    const began = ops.monotonicMs();
    await agent.request(AgentService.SetGuestDateTime, hostTime());
    took = ops.monotonicMs() - began;
    if (took <= LATE_MS) return;
  }
  log.warn(`the guest's clock may be ${Math.ceil(took)} ms late: it took so long to set it`);
}

function hostTime(): { Sec: number; Usec: number } {
  const ms = ops.realtimeMs();
  const Sec = Math.floor(ms / 1000);
  return { Sec, Usec: Math.floor((ms - Sec * 1000) * 1000) };
}
