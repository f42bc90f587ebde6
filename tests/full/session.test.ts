import { test } from "vitest";
import { cutSessions } from "../guest/cut-sessions.ts";
import { Guest } from "../guest/guest.ts";

const ROUNDS = 1000;
const LIMIT_SECONDS = 3600;

test(
  `the agent answers each of ${ROUNDS} hosts on its serial port that are cut off within a frame, and the one after them`,
  async () => {
    await using guest = new Guest({ share: false, limitSeconds: LIMIT_SECONDS });
    await cutSessions(guest, ROUNDS);
  },
  LIMIT_SECONDS * 1000,
);
