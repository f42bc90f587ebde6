import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { eventually } from "../harness/process.ts";
import { Runc } from "../harness/runc.ts";
import { exitOf, useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();
const HEADER = "UID        PID  PPID  C STIME TTY          TIME CMD";

it("ps lists the guest's processes in ps's columns, with the container's own pids and users", async () => {
  const id = await runtime.start({
    args: ["sh", "-c", "sleep 1000 & exec sleep 2000"],
    user: { uid: 1000, gid: 1000 },
  });
  // The shell's child is a shell, too, until it has executed its program.
  await eventually("both programs", async () => {
    const text = await runtime.ok(["ps", id]);
    return /\d sleep 1000\n/.test(text) && /\d sleep 2000\n/.test(text) ? true : undefined;
  });
  const [header, first, second] = (await runtime.ok(["ps", id])).split("\n");
  expect(header).toBe(HEADER);
  expect(first).toMatch(/^user {9}1 {5}0 .. \d\d:\d\d \? {8}00:00:0\d sleep 2000$/);
  expect(second).toMatch(/^user {9}\d+ {5}1 .. \d\d:\d\d \? {8}00:00:0\d sleep 1000$/);
  expect(await runtime.ok(["ps", id, "-o", "ppid,user,cmd"])).toMatch(
    /^ PPID USER +CMD\n +0 user +sleep 2000\n/,
  );
  expect((await runtime.ok(["ps", id, "aux"])).split("\n")[0]).toMatch(/^USER +PID %CPU +VSZ +RSS TTY/);
});

it("ps --format json gives pids of the host: a kata-shim for each process", async () => {
  const id = await runtime.start();
  const pidFile = runtime.scratch.join("exec.pid");
  const exec = runtime.spawn(["exec", "--detach", "--pid-file", pidFile, id, "sleep", "1000"], {
    stdio: "ignore",
  });
  expect((await exitOf(exec)).status).toBe(0);
  const pids: unknown = JSON.parse(await runtime.ok(["ps", "--format", "json", id]));
  expect(pids).toEqual([(await runtime.state(id)).pid, Number(readFileSync(pidFile, "utf8"))]);
});

it("ps of a stopped container is as runc's, and so is that of one that does not exist", async () => {
  await using runc = new Runc();
  runc.create();
  await runc.run(["kill", runc.id, "KILL"]);
  await expect
    .poll(async () => JSON.parse((await runc.run(["state", runc.id])).stdout).status)
    .toBe("stopped");
  const id = await runtime.create();
  await runtime.ok(["kill", id, "KILL"]);
  await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
  expect(await runtime.ok(["ps", id])).toBe(`${HEADER}\n`);
  expect(await runtime.ok(["ps", "-f", "json", id])).toBe(
    (await runc.run(["ps", "-f", "json", runc.id])).stdout,
  );
  expect((await runtime.kata(["ps", "nobody"])).stderr).toContain("does not exist");
  expect(await runc.errorOf(["ps", "nobody"])).toContain("does not exist");
});

it("a command line of the guest cannot write to the host's terminal", async () => {
  const id = await runtime.start({ args: ["sh", "-c", "while :; do sleep 1; done", "\u001b[31mred\n"] });
  expect(await runtime.ok(["ps", id])).toMatch(/ done \?\[31mred\?$/m);
});

it("a wrong option of ps is refused by name", async () => {
  const ended = await runtime.kata(["ps", "nobody", "-Z"]);
  expect(ended).toMatchObject({ status: 1, stderr: expect.stringContaining('unknown ps option "-Z"') });
});
