import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { memberOptions, sandboxOptions } from "../harness/pod.ts";
import type { Ended } from "../harness/process.ts";
import { exitOf, useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();
/** Many machines boot at once, on few cores and without KVM. */
const SLOW_MS = 240_000;
const MANY = 20;
/** Sandboxes at once, each of which boots on the same cores; fewer for a quick look. */
const SANDBOXES = Number(process.env.KATA_CONCURRENT_SANDBOXES ?? MANY);

const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, i) => make(i));
const ids = (text: string) => text.trim().split("\n").sort();

/** `create`, whose container must not keep our pipes. */
function create(id: string, bundle: string): Promise<{ status: number | null; stderr: string }> {
  const stdio = ["ignore", "ignore", "pipe"] as const;
  return exitOf(runtime.spawn(["create", "--bundle", bundle, id], { stdio: [...stdio] }));
}

/** Lists over and over until `work` has ended; every list must succeed. */
async function whileListing<T>(work: Promise<T>): Promise<T> {
  let over = false;
  const ended = work.finally(() => {
    over = true;
  });
  const listing = async () => {
    while (!over) {
      JSON.parse(await runtime.ok(["list", "--format", "json"]));
      await runtime.ok(["list"]);
    }
  };
  const [result] = await Promise.all([ended, listing()]);
  return result;
}

/** Of commands that were run at once: each succeeded, or failed with one line that says what they may say. */
function expectOneLineErrors(results: readonly Ended[], wanted: RegExp): void {
  for (const { status, stderr } of results) {
    if (status !== 0) expect(stderr).toMatch(/^kata-runtime: [^\n]+\n$/);
    if (status !== 0) expect(stderr).toMatch(wanted);
  }
}

const long = { timeoutMs: SLOW_MS };

function killDaemonOf(id: string): void {
  for (const line of findTraces(runtime.traces())) {
    const [, pid, command = ""] = /^process (\d+): (.*)/.exec(line) ?? [];
    if (command.includes(`--daemon --id ${id} `)) process.kill(Number(pid), "SIGKILL");
  }
}

it(
  `${SANDBOXES} sandboxes are made, used and removed at once, while others list them`,
  async () => {
    const bundle = runtime.bundle({ args: ["sleep", "1000"] });
    const names = times(SANDBOXES, () => runtime.newId());
    const created = await whileListing(Promise.all(names.map((id) => create(id, bundle))));
    expect(created).toEqual(names.map(() => ({ status: 0, stderr: "" })));
    await Promise.all(names.map((id) => runtime.ok(["start", id], long)));
    const said = await Promise.all(names.map((id) => runtime.ok(["exec", id, "echo", id], long)));
    expect(said).toEqual(names.map((id) => `${id}\n`));
    expect(ids(await runtime.ok(["list", "--quiet"]))).toEqual(names.toSorted());
    await whileListing(Promise.all(names.map((id) => runtime.ok(["delete", "--force", id], long))));
    expect(await runtime.ok(["list", "--quiet"])).toBe("");
  },
  SLOW_MS,
);

it(
  `${MANY} commands run in one container at once, each with its own output and status`,
  async () => {
    const id = await runtime.start();
    const results = await Promise.all(
      times(MANY, (n) =>
        runtime.kata(["exec", id, "sh", "-c", `echo ${n}; echo e${n} >&2; exit ${n}`], long),
      ),
    );
    expect(results).toEqual(times(MANY, (n) => ({ status: n, stdout: `${n}\n`, stderr: `e${n}\n` })));
  },
  SLOW_MS,
);

/** Creates of one id at once: one wins, the others are told, and what was made works. */
async function expectOneToWin(id: string, bundle: string): Promise<void> {
  const results = await Promise.all(times(MANY, () => create(id, bundle)));
  const already = `kata-runtime: container with given ID already exists: ${id}\n`;
  expect(results.filter(({ status }) => status === 0)).toHaveLength(1);
  for (const { status, stderr } of results) if (status !== 0) expect(stderr).toBe(already);
  await runtime.ok(["start", id]);
  expect(await runtime.ok(["exec", id, "echo", "here"])).toBe("here\n");
}

it(`of ${MANY} creates of one id one wins, and the others harm nothing`, async () => {
  await expectOneToWin(runtime.newId(), runtime.bundle({ args: ["sleep", "1000"] }));
});

it(
  `of ${MANY} containers of one id that join a pod one wins, and the others harm nothing`,
  async () => {
    const sandbox = await runtime.start(sandboxOptions());
    const options = await memberOptions(runtime, sandbox, { args: ["sleep", "1000"] });
    const id = runtime.newId();
    await expectOneToWin(id, runtime.bundle(options));
    expect(ids(await runtime.ok(["list", "--quiet"]))).toEqual([sandbox, id].sort());
    await runtime.ok(["delete", "--force", id]);
    expect((await runtime.state(sandbox)).status).toBe("running");
  },
  SLOW_MS,
);

it("delete --force at any moment of a create leaves nothing, and the id free", async () => {
  const bundle = runtime.bundle({ args: ["sleep", "1000"] });
  const id = runtime.newId();
  for (let round = 0; round < 4; round++) {
    const creating = create(id, bundle);
    let over = false;
    creating.then(() => {
      over = true;
    });
    const deleted: Ended[] = [];
    while (!over) deleted.push(await runtime.kata(["delete", "--force", id], long));
    const { status, stderr } = await creating;
    expect(deleted.filter((each) => each.status !== 0)).toEqual([]);
    if (status !== 0) expect(stderr).toMatch(/^kata-runtime: [^\n]+\n$/);
    await runtime.ok(["delete", "--force", id], long);
    expect((await runtime.kata(["state", id])).stderr).toContain("does not exist");
  }
  expect(await create(id, bundle)).toEqual({ status: 0, stderr: "" });
});

it(`of ${MANY} deletes of one container each succeeds, or says that it is gone or going, and its poststop hooks run once`, async () => {
  const log = runtime.scratch.join("poststop");
  const poststop = [{ path: "/bin/sh", args: ["sh", "-c", `cat >> ${log}; echo >> ${log}`] }];
  const hooks = { poststop };
  const all = [runtime.start({ args: ["true"], hooks }), runtime.start({ hooks }), runtime.start({ hooks })];
  const [stopped = "", running = "", lost = ""] = await Promise.all(all);
  killDaemonOf(lost);
  await expect.poll(async () => (await runtime.state(lost)).status).toBe("stopped");
  await expect.poll(async () => (await runtime.state(stopped)).status).toBe("stopped");
  const [plain, forced, left] = await Promise.all([
    Promise.all(times(MANY, () => runtime.kata(["delete", stopped], long))),
    Promise.all(times(MANY, () => runtime.kata(["delete", "--force", running], long))),
    Promise.all(times(MANY, () => runtime.kata(["delete", lost], long))),
  ]);
  expectOneLineErrors(left, /does not exist/);
  const ran = readFileSync(log, "utf8").trim().split("\n");
  expect(ran.map((line) => JSON.parse(line).id).sort()).toEqual([stopped, running, lost].sort());
  expect(plain.some(({ status }) => status === 0)).toBe(true);
  expectOneLineErrors(plain, /does not exist/);
  expect(forced.map(({ status }) => status)).toEqual(times(MANY, () => 0));
  expect(await runtime.ok(["list", "--quiet"])).toBe("");
});

it("a command that runs when its container is deleted ends, and one that comes later is refused", async () => {
  const id = await runtime.start();
  const before = times(5, () => runtime.kata(["exec", id, "sleep", "1000"], long));
  await expect
    .poll(async () => (await runtime.ok(["ps", id])).split("sleep").length, { timeout: SLOW_MS })
    .toBe(7);
  const meanwhile = times(10, () => runtime.kata(["exec", id, "true"], long));
  await runtime.ok(["delete", "--force", id], long);
  expect((await Promise.all(before)).every(({ status }) => status !== 0)).toBe(true);
  for (const { stderr } of await Promise.all(meanwhile))
    expect(stderr).toMatch(/^(kata-runtime: [^\n]+\n)?$/);
  expect((await runtime.kata(["exec", id, "true"])).stderr).toContain("does not exist");
});

it(
  `${MANY} containers join, are used in and leave a pod at once`,
  async () => {
    const sandbox = await runtime.start(sandboxOptions());
    const options = await memberOptions(runtime, sandbox);
    const members = await whileListing(Promise.all(times(MANY, () => runtime.start(options))));
    const said = await Promise.all(members.map((id) => runtime.ok(["exec", id, "echo", id], long)));
    expect(said).toEqual(members.map((id) => `${id}\n`));
    await whileListing(Promise.all(members.map((id) => runtime.ok(["delete", "--force", id], long))));
    expect((await runtime.ok(["list", "--quiet"])).trim()).toBe(sandbox);
    expect((await runtime.state(sandbox)).status).toBe("running");
  },
  SLOW_MS,
);
