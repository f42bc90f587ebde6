import { afterAll, beforeAll, expect, test } from "vitest";
import { type Engine, startDocker } from "./engine.ts";
import { runScript } from "./run-script.ts";

const MANY = 20;
/** As many machines boot at once, on few cores and without KVM. */
const SLOW_S = 400;

let engine: Engine;
let before: string[];

beforeAll(async () => {
  engine = await startDocker();
  before = await engine.host.inventory();
}, 180_000);
afterAll(() => engine?.host[Symbol.asyncDispose]());

test(`${MANY} docker run at once: each has its own output and status`, {
  timeout: (SLOW_S + 60) * 1000,
}, async () => {
  const { stdout, stderr } = await runScript(
    engine,
    "kata",
    `for n in $(seq ${MANY}); do
         { said=$($run --rm box sh -c "echo $n; exit $n" 2> $dir/$n); echo "$said $?"; cat $dir/$n >&2; } &
       done | sort -n; wait`,
    SLOW_S,
  );
  const expected = Array.from({ length: MANY }, (_, index) => `${index + 1} ${index + 1}\n`).join("");
  expect({ stdout, stderr }).toEqual({ stdout: expected, stderr: "" });
});

test("nothing is left: processes, mounts, interfaces, firewall rules, state, control groups", async () => {
  await expect.poll(() => engine.host.inventory()).toEqual(before);
});
