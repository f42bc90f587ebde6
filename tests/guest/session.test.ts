import { test } from "vitest";
import { cutSessions } from "./cut-sessions.ts";
import { Guest } from "./guest.ts";

/** 0.6 s each on a busy machine under software emulation; tests/full has 1,000. */
const ROUNDS = 100;

test(`the agent answers each of ${ROUNDS} hosts on its serial port that are cut off within a frame, and the one after them`, async () => {
  await using guest = new Guest({ share: false });
  await cutSessions(guest, ROUNDS);
}, 240_000);
