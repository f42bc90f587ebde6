import { type Ops, setOps } from "@kata-containers/sys";
import { afterEach, expect, test } from "vitest";
import { activatedDescriptors } from "./socket-activation.ts";

afterEach(() => setOps(undefined));

test.each([
  [[], 0],
  [["LISTEN_PID=7", "LISTEN_FDS=2"], 2],
  [["LISTEN_PID=8", "LISTEN_FDS=2"], 0],
  [["LISTEN_FDS=2"], 0],
  [["LISTEN_PID=7", "LISTEN_FDS=x"], 0],
])("of process 7 with %j there are %i", (env, count) => {
  const fake: Partial<Ops> = { env: () => env, getpid: () => 7 };
  setOps(fake as Ops);
  expect(activatedDescriptors()).toBe(count);
});
