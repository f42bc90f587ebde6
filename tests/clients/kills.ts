import { afterAll, beforeAll, expect, test } from "vitest";
import type { Engine } from "./engine.ts";
import { runScript } from "./run-script.ts";

/** From the kill until the client says that the container has ended, ms: issue 7's figure. */
const SOON_MS = 2_000;

/** In the private host these are the container's alone. */
const VICTIMS = [
  ["the VM", "pkill -KILL -x qemu-system-x86", "137"],
  ["the sandbox's daemon", "pkill -KILL -f '^[^ ]*containerd-shim-kata-v2 --daemon'", "255"],
  ["kata-shim", "pkill -KILL -x kata-shim", "137"],
  ["virtiofsd", "pkill -KILL -x virtiofsd", "137"],
] as const;

/** What a client sees of a container one of whose programs is killed. */
export function testKills(start: () => Promise<Engine>): void {
  let engine: Engine;
  let before: string[];

  beforeAll(async () => {
    engine = await start();
    before = await engine.host.inventory();
  }, 180_000);
  afterAll(() => engine?.host[Symbol.asyncDispose]());

  test.each(VICTIMS)(
    "%s is killed: the client's wait ends within 2 s, and the container is removed as any other",
    async (_, kill, code) => {
      expect(await ended(kill)).toEqual({ code, soon: true, state: `false ${code}`, left: "" });
    },
  );

  // Its PID 1 is the agent: without it the guest's kernel panics, too, and the two cannot be told apart from here.
  test("the guest's kernel panics: the same", async () => {
    const crash = "until [ -e /v/now ]; do sleep 0.1; done; echo c > /proc/sysrq-trigger";
    const box = { options: "--privileged -v $dir:/v", command: `sh -c '${crash}'` };
    const { code, ...rest } = await ended("echo > $dir/now", box, SOON_MS);
    expect(rest).toEqual({ soon: true, state: `false ${code}`, left: "" });
    expect(code).not.toBe("0");
  });

  test("a process that is executed ends with the VM, too, and its client says so", async () => {
    const { stdout, stderr } = await runScript(
      engine,
      "kata",
      `$run -d --name one box sleep 1000 > /dev/null
       $c exec one sh -c 'echo runs; sleep 1000' > $dir/out & client=$!
       until grep -q runs $dir/out; do sleep 0.05; done
       pkill -KILL -x qemu-system-x86; began=$(date +%s%N)
       wait $client; [ $? -ne 0 ] && echo failed; [ $(( ($(date +%s%N) - began) / 1000000 )) -lt ${SOON_MS} ] && echo soon`,
    );
    expect(stdout, stderr).toBe("failed\nsoon\n");
  });

  test("nothing is left: processes, mounts, interfaces, firewall rules, state, control groups", async () => {
    await expect.poll(() => engine.host.inventory()).toEqual(before);
  });

  async function ended(kill: string, { options = "", command = "sleep 1000" } = {}, soonMs = SOON_MS) {
    const { stdout, stderr } = await runScript(
      engine,
      "kata",
      `$run -d --name one ${options} box ${command} > /dev/null
       $c wait one > $dir/code & client=$!
       # Meanwhile the client that waits has started.
       $c inspect -f '{{.State.Running}}' one
       began=$(date +%s%N); ${kill}
       wait $client; echo $(( ($(date +%s%N) - began) / 1000000 ))
       cat $dir/code; $c inspect -f '{{.State.Running}} {{.State.ExitCode}}' one
       $c rm one > /dev/null && $c ps -aq | wc -l; pgrep -l 'qemu|virtiofsd'; pgrep -x kata-shim`,
    );
    const [running, ms, code, state, count, ...left] = stdout.split("\n");
    console.log(`${engine.name}: ${kill}: ${ms} ms`);
    expect([running, count], `${stdout}${stderr}`).toEqual(["true", "0"]);
    return { code, soon: Number(ms) < soonMs, state, left: left.join("") };
  }
}
