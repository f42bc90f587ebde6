import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Containerd, type Runtime } from "../harness/containerd.ts";
import { GO_BUILD_MS, goPrograms } from "./go-programs.ts";
import { testPods } from "./pod-life.ts";

/** containerd 2, which calls a shim by the Task service's version 3: `ctr`, and CRI. */
const programs = () => goPrograms("containerd");

describe("ctr", () => {
  let containerd: Containerd;
  let before: string[];

  beforeAll(async () => {
    containerd = await Containerd.start({ programs: programs() });
    await containerd.sh("$run --rm $image first true", 60, "runc");
    before = await containerd.host.inventory();
  }, GO_BUILD_MS);

  afterAll(() => containerd?.[Symbol.asyncDispose]());

  /** The same with either runtime. @returns what it prints */
  async function same(script: string): Promise<string> {
    const outcome = (runtime: Runtime) => containerd.sh(script, 90, runtime);
    const runc = await outcome("runc");
    const kata = await outcome("kata");
    expect(kata.stdout, `${kata.stderr}\nrunc: ${JSON.stringify(runc)}`).toBe(runc.stdout);
    expect(kata.status).toBe(runc.status);
    return kata.stdout;
  }

  test("is that of containerd 2", async () => {
    const { stdout } = await containerd.sh("ctr version");
    expect(stdout.match(/Version: +v?2\./g)).toHaveLength(2);
  });

  test("runs a container: its output, its input, its status", async () => {
    expect(
      await same("echo typed | $run --rm $image t sh -c 'head -n 1; echo err >&2; exit 7'; echo $?"),
    ).toBe("typed\n7\n");
  });

  test("executes in a container, kills and removes it", async () => {
    const said = await same(`
      $run -d $image t sleep 100
      ctr task ls | awk 'NR > 1 { print $1, $3 }'
      echo typed | ctr task exec --exec-id e1 t sh -c 'cat; exit 3'; echo $?
      ctr task pause t; ctr task ls | awk 'NR > 1 { print $3 }'; ctr task resume t
      ctr task kill -s KILL t
      for i in $(seq 100); do ctr task ls | grep -q STOPPED && break; sleep .1; done
      ctr task ls | awk 'NR > 1 { print $1, $3 }'
      ctr task rm t 2>&1 | grep -o 'exit code [0-9]*'
      ctr container rm t; ctr task ls -q; ctr container ls -q`);
    expect(said).toBe("t RUNNING\ntyped\n3\nPAUSED\nt STOPPED\nexit code 137\n");
  });

  test("hears a container's events, in their order", async () => {
    const said = await same(`
      ctr events > /run/events & listener=$!
      until [ -S /proc/$listener/fd/3 ] || ls -l /proc/$listener/fd | grep -q socket; do sleep .05; done
      $run -d $image t sleep 100
      ctr task exec --exec-id e1 t true
      ctr task kill -s KILL t
      for i in $(seq 100); do grep -q '/tasks/exit.*"id":"t"' /run/events && break; sleep .1; done
      ctr task rm t > /dev/null 2>&1; ctr container rm t
      for i in $(seq 100); do grep -q /containers/delete /run/events && break; sleep .1; done
      kill $listener
      grep -o '/tasks/[a-z-]*' /run/events; rm /run/events`);
    const ofTask = ["create", "start", "exec-added", "exec-started", "exit", "exit", "delete"];
    expect(said.trim().split("\n")).toEqual(ofTask.map((topic) => `/tasks/${topic}`));
  });

  test("finds its containers again after containerd was killed", async () => {
    await containerd.sh("$run -d $image t sh -c 'sleep 1000'");
    await containerd.kill();
    await containerd.launch();
    const { stdout, stderr } = await containerd.sh(`
      ctr task exec --exec-id e t echo still here
      ctr task rm -f t > /dev/null 2>&1; ctr container rm t; ctr task ls -q`);
    expect(stdout, stderr).toBe("still here\n");
  });

  test("calls kata's shim by version 3 of the Task service, and no other", () => {
    const log = readFileSync(join(containerd.host.path, "containerd.log"), "utf8");
    const versions = [...log.matchAll(/connecting to shim .*containerd\/s\/.* version=(\d)/g)].map(
      ([, version]) => version,
    );
    expect(new Set(versions)).toEqual(new Set(["3"]));
  });

  test("leaves nothing", async () => {
    await expect.poll(() => containerd.host.inventory()).toEqual(before);
  });
});

describe("CRI", () => testPods(programs));
