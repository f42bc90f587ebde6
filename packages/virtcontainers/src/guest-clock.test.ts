import type { Init, Method } from "@kata-containers/protocols";
import { setOps } from "@kata-containers/sys";
import { afterEach, beforeEach, expect, test } from "vitest";
import { setGuestClock } from "./guest-clock.ts";

let warnings: string[];
beforeEach(() => {
  warnings = [];
});
afterEach(() => setOps(undefined));

/** A guest whose answers take these milliseconds, one after another, the last of them from then on; what it is told. */
async function told(...takes: readonly number[]): Promise<unknown[]> {
  let nowMs = 1_700_000_000_250;
  setOps(Object.assign(Object.create(null), { monotonicMs: () => nowMs, realtimeMs: () => nowMs }));
  const times: unknown[] = [];
  const guest = {
    async request<Req extends object, Res extends object>(method: Method<Req, Res>, message: Init<Req>) {
      nowMs += takes[times.length] ?? takes.at(-1) ?? 0;
      times.push(message);
      return method.response.empty() as Res;
    },
  };
  await setGuestClock(guest, { warn: (text: string) => void warnings.push(text) });
  return times;
}

test("the guest is told the host's time once when it answers at once", async () => {
  expect(await told(9)).toEqual([{ Sec: 1_700_000_000, Usec: 250_000 }]);
});

test("it is told again while its answer takes so long that its clock may be late", async () => {
  expect(await told(80, 30, 5)).toEqual([
    { Sec: 1_700_000_000, Usec: 250_000 },
    { Sec: 1_700_000_000, Usec: 330_000 },
    { Sec: 1_700_000_000, Usec: 360_000 },
  ]);
  expect(warnings).toEqual([]);
});

test("a guest that is always slow is told eight times, and the log says how late it may be", async () => {
  expect(await told(50)).toHaveLength(8);
  expect(warnings).toEqual(["the guest's clock may be 50 ms late: it took so long to set it"]);
});
