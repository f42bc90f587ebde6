import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { findTraces } from "../harness/leaks.ts";
import { kataRuntime } from "../harness/programs.ts";
import { exitOf, useRuntime } from "../harness/runtime.ts";
import { traced } from "./strace.ts";

const runtime = useRuntime();

it("a create that is deleted by force while it makes the daemon's socket, and killed, leaves nothing", async () => {
  const id = runtime.newId();
  const create = ["create", "--bundle", runtime.bundle({ cgroupsPath: `/kata-test-${id}` }), id];
  // It is held in front of the socket, when record and configuration are there, and killed behind it.
  const faults = ["-e", "inject=bind:delay_enter=3000000", "-e", "inject=listen:signal=KILL"];
  const options = ["-qq", "-o", "/dev/null", "-e", "trace=bind,listen", ...faults];
  const child = spawn(...traced(kataRuntime, [...runtime.globals(), ...create], options), {
    stdio: "ignore",
  });
  const ended = exitOf(child);
  await expect.poll(() => existsSync(`${runtime.root}/${id}/configuration.json`)).toBe(true);
  await runtime.ok(["delete", "--force", id]);
  await ended;
  expect(child.signalCode).toBe("SIGKILL");
  expect(findTraces(runtime.traces())).toEqual([]);
});
