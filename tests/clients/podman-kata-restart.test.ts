import { afterAll, beforeAll, expect, test } from "vitest";
import { kataRuntime } from "../harness/programs.ts";
import { type Engine, startPodman } from "./engine.ts";
import { runAlike } from "./run-script.ts";
import { Scribes } from "./scribes.ts";

let engine: Engine;
let before: string[];

beforeAll(async () => {
  engine = await startPodman();
  before = await engine.host.inventory();
}, 180_000);
afterAll(() => engine?.host[Symbol.asyncDispose]());

const sh = (script: string) => engine.host.run(script, engine.env, 90);
const killed = (program: string) =>
  `pkill -KILL -x ${program}; while pgrep -x ${program} > /dev/null; do sleep 0.05; done`;

const RUNTIMES = ["runc", kataRuntime];
/**
 * What runtimes know. podman (4.3) takes containers without their conmon for removed once it has stopped them, and has no runtime delete
 * them: runc has them still as well.
 */
const LISTED = `{ ${RUNTIMES.map((runtime) => `${runtime} list --quiet;`).join(" ")} }`;

test("podman is killed while it attends five containers: they go on with their conmon, their ends are told, no line of a log is lost", {
  timeout: 600_000,
}, async () => {
  const scribes = await Scribes.start(engine, { options: "", after: "2>&1 &" });
  const [first = "", ...others] = scribes.names;
  await scribes.write(100);
  await sh(killed("podman"));
  await scribes.write(200);
  await scribes.write(300, [first]);
  await scribes.end([first]);
  const running = Object.fromEntries(others.map((name) => [name, "running"]));
  await expect.poll(() => scribes.states()).toEqual({ ...running, [first]: "exited 9" });
  await scribes.hasWholeLog(first, 300);
  for (const name of others)
    expect((await sh(`podman exec ${name} echo still here`)).stdout).toBe("still here\n");
  await scribes.write(300, others);
  const waiting = sh(`podman wait ${others.join(" ")}`);
  await scribes.end(others);
  expect((await waiting).stdout).toBe("9\n".repeat(others.length));
  for (const name of others) await scribes.hasWholeLog(name, 300);
  await scribes.remove();
});

test("the conmon of five containers is killed: with runc and with kata they go on, are executed in, stopped and removed alike", {
  timeout: 600_000,
}, async () => {
  const names = "c1 c2 c3 c4 c5";
  const said = await runAlike(
    engine,
    `for n in ${names}; do $run -d --name $n box sleep 1000 > /dev/null; done
     ${killed("conmon")}
     for n in ${names}; do $c exec $n echo still here; done
     $c ps --filter status=running --format '{{.Names}}' | sort
     $c stop -t 0 ${names} > /dev/null 2>&1; $c ps -q | wc -l
     $c rm -f ${names} > /dev/null 2>&1; $c ps -aq | wc -l
     ${LISTED} | wc -l
     ${RUNTIMES.map((runtime) => `${runtime} list --quiet | xargs -r -n 1 ${runtime} delete`).join("; ")}
     ${LISTED} | wc -l`,
    240,
  );
  expect(said).toBe(
    `${"still here\n".repeat(5)}${[1, 2, 3, 4, 5].map((n) => `c${n}\n`).join("")}0\n0\n5\n0\n`,
  );
});

test("nothing is left: processes, mounts, interfaces, firewall rules, state, control groups", async () => {
  await expect.poll(() => engine.host.inventory()).toEqual(before);
});
