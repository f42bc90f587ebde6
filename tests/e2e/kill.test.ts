import { expect, it } from "vitest";
import { Runc } from "../harness/runc.ts";
import { useRuntime } from "../harness/runtime.ts";

const runtime = useRuntime();

it("--all reaches every process of the container, also of those that fork all the time", async () => {
  // Each of the chain starts the next one and ends. The first process sees the end of the line when there is none left; as
  // pid 1 of its namespace without a handler it does not end itself.
  const chain = 'sleep 0.01; sh -c "$CHAIN" &';
  const init = `mkfifo /tmp/line; sh -c "$CHAIN" > /tmp/line & read end < /tmp/line; exec sleep 1000`;
  const id = await runtime.start({ args: ["sh", "-c", init], env: [`CHAIN=${chain}`] });
  const nextPid = async () => Number(await runtime.ok(["exec", id, "sh", "-c", "echo $$"]));
  await expect.poll(nextPid).toBeGreaterThan(30);
  const first = async () => (await runtime.ok(["exec", id, "cat", "/proc/1/cmdline"])).replaceAll("\0", " ");
  expect(await first()).toContain("mkfifo");
  await runtime.ok(["kill", "--all", id, "TERM"]);
  await expect.poll(first).toBe("sleep 1000 ");
  await runtime.ok(["kill", "--all", id, "KILL"]);
  await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
});

it("SIGTERM does not end a first process that does not catch it, as with runc; SIGKILL does", async () => {
  await using runc = new Runc();
  runc.create();
  await runc.run(["start", runc.id]);
  const id = await runtime.start();
  expect((await runc.run(["kill", runc.id])).status).toBe(0);
  await runtime.ok(["kill", id]);
  await runtime.ok(["exec", id, "true"]);
  expect((await runtime.state(id)).status).toBe("running");
  expect(JSON.parse((await runc.run(["state", runc.id])).stdout).status).toBe("running");
  await runtime.ok(["kill", id, "KILL"]);
  await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
});

it("a stopped container and an unknown one: with --all and without, as runc", async () => {
  await using runc = new Runc();
  runc.create();
  const id = await runtime.create();
  const same = async (...words: string[]) => {
    const filled = (its: string) => words.map((word) => (word === "ID" ? its : word));
    const ours = await runtime.kata(filled(id));
    expect({ words, error: ours.stderr.replace("kata-runtime: ", "").trim() }).toEqual({
      words,
      error: await runc.errorOf(filled(runc.id)),
    });
    return ours.status;
  };
  expect(await same("kill", "--all", "ID", "KILL")).toBe(0);
  await expect.poll(async () => (await runtime.state(id)).status).toBe("stopped");
  const theirs = async () => JSON.parse((await runc.run(["state", runc.id])).stdout).status;
  await expect.poll(theirs).toBe("stopped");
  expect(await same("kill", "ID", "KILL")).toBe(1);
  expect(await same("kill", "--all", "ID", "KILL")).toBe(0);
  expect((await runtime.kata(["kill", "--all", "nobody"])).stderr).toBe(
    'kata-runtime: container "nobody" does not exist\n',
  );
});
